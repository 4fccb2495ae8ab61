import { type Document, isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { ConfigError } from "../config/config-error.ts";
import { readSettingFile, type SettingFile } from "../setting-file.ts";

/** So many mistakes are told at a time. */
const MAX_PROBLEMS = 10;
const MAX_ALIASES = 100;

/**
 * Reads a file of YAML, which JSON is too, that decides who may do what.
 *
 * @throws ConfigError, a line for each mistake: the line of the file, what stands there, and what it takes.
 */
export function readYamlFile<T>(file: SettingFile, schema: z.ZodType<T>): T {
  return parseYaml(readSettingFile(file).toString("utf8"), file, schema);
}

/** The same of a text; `file` is what errors speak of. */
export function parseYaml<T>(
  text: string,
  { variable, path: name }: Pick<SettingFile, "variable" | "path">,
  schema: z.ZodType<T>,
): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number) => `${variable}: ${name} line ${lines.linePos(offset).line}`;
  ConfigError.throwIfAny(
    document.errors.slice(0, MAX_PROBLEMS).map(({ message, pos }) => {
      return `${place(pos[0])}: ${message.split("\n", 1)[0]}`;
    }),
  );
  const parsed = schema.safeParse(readValue(document, `${variable}: ${name}`));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, MAX_PROBLEMS).flatMap((issue) => {
    const keys = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
    return keys.map((key) => {
      const path = key === undefined ? issue.path : [...issue.path, key];
      return `${place(offsetOf(document, path))}: ${nameOf(path)} ${issue.message}`;
    });
  });
  const [first = `${variable}: ${name} cannot be used`, ...more] = problems;
  throw new ConfigError(first, ...more);
}

function readValue(document: Document, what: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    throw new ConfigError(`${what}: ${(error as Error).message}`);
  }
}

/** `issuers[0].algorithms[1]`. */
function nameOf(path: readonly PropertyKey[]): string {
  const parts = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`));
  return parts.join("").replace(/^\./, "") || "the file";
}

/** Where something stands in the text, or what it would stand in. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let offset = (node as Node | null)?.range?.[0] ?? 0;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === String(key));
      if (pair === undefined) return offset;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof key === "number") {
      node = node.items[key];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
