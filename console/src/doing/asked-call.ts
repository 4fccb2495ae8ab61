import { readJson } from "../turn/tool/json.ts";

/** What a tool call that waits is to be shown as. `hasMore`: its input has parts that this does not show. */
export type AskedCall =
  | { readonly as: "command"; readonly command: string; readonly hasMore: boolean }
  | {
      readonly as: "edits";
      readonly path: string;
      readonly edits: readonly { readonly before: string; readonly after: string }[];
      readonly hasMore: boolean;
    }
  | { readonly as: "json" };

/** Reads what a call of a tool would do, by the tool's name and its input, a JSON object as text. */
export function askedCall(name: string, inputJson: string): AskedCall {
  // Which of the two counts is the agent's to say.
  if (hasKeyTwice(inputJson)) return { as: "json" };
  const input = parsed(inputJson);
  const { command, file_path: path } = input;
  const hasMore = (...shown: string[]) => Object.keys(input).some((key) => !shown.includes(key));
  if (name === "Bash" && typeof command === "string") {
    return { as: "command", command, hasMore: hasMore("command", "description") };
  }
  if (typeof path !== "string") return { as: "json" };
  if (name === "Write" && typeof input.content === "string") {
    const edits = [{ before: "", after: input.content }];
    return { as: "edits", path, edits, hasMore: hasMore("file_path", "content") };
  }
  if (name === "Edit") {
    const edit = editOf(input);
    if (edit === undefined) return { as: "json" };
    const shown = hasMore("file_path", "old_string", "new_string");
    return { as: "edits", path, edits: [edit], hasMore: shown };
  }
  return { as: "json" };
}

function hasKeyTwice(text: string): boolean {
  const json = readJson(text);
  if (json?.kind !== "object") return false;
  return new Set(json.entries.map(([key]) => key)).size < json.entries.length;
}

function editOf({ old_string: before, new_string: after }: Record<string, unknown>) {
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
