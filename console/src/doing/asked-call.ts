/** What a tool call that waits is to be shown as; `json` has what the other parts do not, exact to the digit. */
export type AskedCall =
  | { readonly as: "command"; readonly command: string; readonly json: string }
  | {
      readonly as: "edits";
      readonly path: string;
      readonly edits: readonly { readonly before: string; readonly after: string }[];
      readonly json: string;
    }
  | { readonly as: "json"; readonly json: string };

/** Reads what a call of a tool would do, by the tool's name and its input, a JSON object as text. */
export function askedCall(name: string, inputJson: string): AskedCall {
  const input = parsed(inputJson);
  const { command, file_path: path } = input;
  if (name === "Bash" && typeof command === "string") {
    return { as: "command", command, json: inputJson };
  }
  if (typeof path !== "string") return { as: "json", json: inputJson };
  if (name === "Write" && typeof input.content === "string") {
    return { as: "edits", path, edits: [{ before: "", after: input.content }], json: inputJson };
  }
  const list = name === "MultiEdit" && Array.isArray(input.edits) ? input.edits : [input];
  const edits = list.map(editOf);
  const isEdit =
    (name === "Edit" || name === "MultiEdit") && edits.every((edit) => edit !== undefined);
  return isEdit ? { as: "edits", path, edits, json: inputJson } : { as: "json", json: inputJson };
}

function editOf(input: unknown) {
  const { old_string: before, new_string: after } = (input ?? {}) as Record<string, unknown>;
  return typeof before === "string" && typeof after === "string" ? { before, after } : undefined;
}

function parsed(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
