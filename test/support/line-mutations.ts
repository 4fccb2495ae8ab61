/** A change of one line: what is done, where (taken modulo the places that there are), and with what. */
export interface LineMutation {
  readonly kind: (typeof MUTATION_KINDS)[number];
  readonly place: number;
  readonly value: unknown;
}

/** The last three work on the text, and may leave no JSON. */
export const MUTATION_KINDS = [
  "replace",
  "remove",
  "move",
  "wrap",
  "duplicate",
  "truncate",
  "flip",
] as const;

/** What a field becomes: all types, numbers that fit nowhere, texts that no field or protocol takes as they are. */
export const STRANGE_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  0.5,
  1e300,
  -1e300,
  2 ** 53,
  2 ** 32,
  "",
  "text",
  "\ud800",
  "a\0b",
  "x".repeat(20_000),
  "\u{1d11e}".repeat(200),
  "<synthetic>",
  "tool_use",
  "result",
  "system",
  "init",
  "__proto__",
  [],
  [[]],
  [null],
  ["a", 1, {}],
  {},
  { type: "text" },
  { type: "tool_use", id: "t", name: "n", input: { n: 1e300 } },
  { type: "tool_result", tool_use_id: "t", content: [{ type: "image", source: {} }] },
];

type Container = Record<string | number, unknown>;

/** Where a value stands in a line. */
interface Place {
  readonly container: Container;
  readonly key: string | number;
}

/** A line after changes, one after the other. */
export function mutateLine(line: string, mutations: readonly LineMutation[]): string {
  return mutations.reduce(mutate, line);
}

function mutate(line: string, { kind, place, value }: LineMutation): string {
  if (kind === "truncate") return line.slice(0, place % (line.length + 1));
  if (kind === "flip") return flip(line, place);
  if (kind === "duplicate") return duplicateField(line, place, value);
  const root = parse(line);
  const places = placesIn(root);
  const at = places[place % Math.max(1, places.length)];
  if (at === undefined) return line;
  if (kind === "replace") at.container[at.key] = value;
  else if (kind === "wrap") at.container[at.key] = [{ type: "text", inner: at.container[at.key] }];
  else if (kind === "remove") delete at.container[at.key];
  else moveValue(at, places[(place * 31 + 7) % places.length]!);
  return stringify(root) ?? line;
}

function flip(line: string, place: number): string {
  if (line === "") return line;
  const at = place % line.length;
  const changed = String.fromCharCode(line.charCodeAt(at) ^ (1 << (place % 7)));
  return line.slice(0, at) + changed + line.slice(at + 1);
}

/** Writes a field a second time, with another value: the later one counts. */
function duplicateField(line: string, place: number, value: unknown): string {
  const names = [...line.matchAll(/"(\w+)":/g)];
  const name = names[place % Math.max(1, names.length)];
  if (name === undefined) return line;
  const field = `"${name[1]}":${JSON.stringify(value)},`;
  return line.slice(0, name.index) + field + line.slice(name.index);
}

function moveValue(from: Place, to: Place): void {
  const moved = to.container[to.key];
  to.container[to.key] = from.container[from.key];
  from.container[from.key] = moved;
}

/** Every field and every entry, the outer ones first. */
function placesIn(root: unknown): Place[] {
  const places: Place[] = [];
  const containers = [root].filter(isContainer);
  for (const container of containers) {
    for (const key of Object.keys(container)) {
      places.push({ container, key });
      const value = container[key];
      if (isContainer(value)) containers.push(value);
    }
  }
  return places;
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Undefined where a value was moved into itself. */
function stringify(root: unknown): string | undefined {
  try {
    return JSON.stringify(root);
  } catch {
    return undefined;
  }
}
