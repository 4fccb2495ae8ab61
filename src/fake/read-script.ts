import { readFileSync } from "node:fs";
import { type Document, isAlias, isMap, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { z } from "zod";
import { ConfigError } from "../config/config-error.ts";
import type { Script } from "./script.ts";
import { fields, promptPattern, taking } from "./script-kinds.ts";
import { steps } from "./script-steps.ts";

/** So many mistakes are told at a time. */
const MAX_PROBLEMS = 10;
const MAX_BYTES = 16 * 1024 * 1024;
/** So much of a value is repeated where it is wrong. */
const SHOWN_LENGTH = 60;

const script = fields({
  turns: z
    .array(fields({ when: promptPattern.optional(), steps: steps() }), taking("a list of turns"))
    .min(1, taking("a list of turns, one at least"))
    .refine(
      (turns) => turns.filter(({ when }) => when === undefined).length <= 1,
      taking("one turn without `when`, which is for all other prompts"),
    ),
});

/**
 * Reads a script from a file, in YAML or JSON.
 *
 * @throws ConfigError, a line for each mistake: where it is, what is there, and what it takes.
 */
export function readScriptFile(path: string): Script {
  let text: string;
  try {
    const bytes = readFileSync(path);
    if (bytes.length > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    text = bytes.toString("utf8");
  } catch (error) {
    throw new ConfigError(`the script ${path} cannot be read: ${(error as Error).message}`);
  }
  return readScript(text, path);
}

/** The same of a text; `name` is what it is called in errors. */
export function readScript(text: string, name: string): Script {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  ConfigError.throwIfAny(
    document.errors.slice(0, MAX_PROBLEMS).map(({ message, pos }) => {
      return `${name}:${lines.linePos(pos[0]).line}: ${message.split("\n", 1)[0]}`;
    }),
  );
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`);
  }
  return checkScript(value, (path) => {
    const offset = offsetOf(document, path);
    return offset === undefined ? name : `${name}:${lines.linePos(offset).line}`;
  });
}

/**
 * Checks a script that is made of values.
 *
 * @param placeOf - Where something of it stands.
 * @throws ConfigError as `readScriptFile`.
 */
export function checkScript(
  value: unknown,
  placeOf: (path: readonly PropertyKey[]) => string = () => "the script",
): Script {
  const parsed = script.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => {
    const { path, message } = issue;
    if (issue.code === "unrecognized_keys") {
      const mend = `${nameOf(path)} takes ${message}`;
      return issue.keys.map((key) => {
        return `${placeOf([...path, key])}: ${nameOf([...path, key])} is not known: ${mend}`;
      });
    }
    const isKey = issue.code === "custom" && issue.params?.isKey === true;
    if (isKey) {
      const parent = nameOf(path.slice(0, -1));
      return `${placeOf(path)}: ${nameOf(path)} is not known: ${parent} takes ${message}`;
    }
    const found = valueAt(value, path);
    if (found === undefined)
      return `${placeOf(path)}: ${nameOf(path)} is missing: it takes ${message}`;
    return `${placeOf(path)}: ${nameOf(path)} is ${shown(found)}, but takes ${message}`;
  });
  const more = problems.length - MAX_PROBLEMS;
  const told = problems.slice(0, MAX_PROBLEMS);
  const [first = "the script cannot be used", ...others] = told;
  throw new ConfigError(first, ...others, ...(more > 0 ? [`and ${more} more mistakes`] : []));
}

/** `turns[0].steps[2].delay`. */
function nameOf(path: readonly PropertyKey[]): string {
  const name = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
  return name === "" ? "the script" : name;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => {
    return typeof at === "object" && at !== null ? Reflect.get(at, key) : undefined;
  }, value);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}

/** Where something stands in the text, or what it would stand in. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  let offset = (node as Node | null)?.range?.[0];
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document);
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
