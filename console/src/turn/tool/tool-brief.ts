import { briefly, type Json, stringIn, valueIn } from "./json.ts";

const MAX = 160;

/** What a call is about, in one short line: the command, the path, what is looked for. */
export function briefOf(name: string, input: Json | undefined): string {
  const text = textOf(name, input).trim();
  const line = text.split("\n", 1)[0] ?? "";
  const isCut = line.length > MAX || line.length < text.length;
  return isCut ? `${line.slice(0, MAX)} …` : line;
}

function textOf(name: string, input: Json | undefined): string {
  const string = (key: string) => stringIn(input, key);
  switch (name) {
    case "Grep": {
      const where = string("path") ?? string("glob");
      return [string("pattern"), where].filter((part) => part !== undefined).join("  ");
    }
    case "TodoWrite":
      return doneOf(valueIn(input, "todos"));
    default:
      break;
  }
  for (const key of KEYS) {
    const value = string(key);
    if (value !== undefined && value !== "") return value;
  }
  return input?.kind === "object" && input.entries.length > 0
    ? input.entries.map(([key, value]) => `${key}: ${briefly(value)}`).join(", ")
    : "";
}

/** What tells most of an input, the best first. */
const KEYS = [
  "command",
  "file_path",
  "notebook_path",
  "pattern",
  "path",
  "url",
  "query",
  "description",
  "prompt",
];

/** `2/5` of a list of tasks. */
function doneOf(todos: Json | undefined): string {
  if (todos?.kind !== "array") return "";
  const done = todos.items.filter((todo) => stringIn(todo, "status") === "completed");
  return `${done.length}/${todos.items.length}`;
}
