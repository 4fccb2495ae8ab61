import fc from "fast-check";

/** What somebody puts where an id belongs: paths, options, control characters, ids with something behind them. */
const HOSTILE = [
  "..",
  "../x",
  "../../../../etc/passwd",
  "/",
  "/etc/passwd",
  ".",
  "~",
  "a/b",
  "C:\\x",
  "%2e%2e%2f",
  "..\0",
  "\0",
  "\n",
  "\r\n",
  " ",
  "-x",
  "--mcp-config=/tmp/x",
  "$(touch x)",
  "{}",
  "null",
  "x".repeat(10_000),
];

/** An id, in either case. */
export const uuid: fc.Arbitrary<string> = fc
  .tuple(fc.uuid(), fc.boolean())
  .map(([id, isUpper]) => (isUpper ? id.toUpperCase() : id));

const almostUuid = fc.tuple(uuid, fc.nat(36), fc.constantFrom("", "/", "\0", "g", "-", "\n", "."));

/** Ids, what is almost one, and any other text. */
export const anyId: fc.Arbitrary<string> = fc.oneof(
  uuid,
  almostUuid.map(([id, at, more]) => id.slice(0, at) + more + id.slice(at + 1)),
  almostUuid.map(([id, , more]) => id + more),
  fc.constantFrom("", ...HOSTILE),
  fc.string({ unit: "binary" }),
);

/** The plain reading of what an id is. */
export function isUuid(text: string): boolean {
  const digits = text.split("-");
  const lengths = digits.map(({ length }) => length).join();
  return (
    lengths === "8,4,4,4,12" &&
    [...digits.join("")].every((c) => "0123456789abcdefABCDEF".includes(c))
  );
}
