import type { JsonObject } from "./case-messages.ts";

/**
 * Tells where what came is not as it was expected: every member that is expected must be there and be so; lists are as
 * long as expected. Numbers and their text are the same: proto3's JSON has those of 64 bits as text.
 *
 * @param path - What is compared, for the messages.
 */
export function differences(expected: unknown, came: unknown, path: string): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(came)) return [`${path}: expected a list, came ${shown(came)}`];
    const lengths = `${path}: expected ${expected.length} of them, came ${came.length}`;
    const each = expected.flatMap((one, i) => differences(one, came[i], `${path}[${i}]`));
    return expected.length === came.length ? each : [lengths, ...each.slice(0, 2)];
  }
  if (typeof expected === "object" && expected !== null) {
    if (typeof came !== "object" || came === null) {
      return [`${path}: expected ${shown(expected)}, came ${shown(came)}`];
    }
    return Object.entries(expected).flatMap(([name, value]) =>
      differences(value, (came as JsonObject)[name], path === "" ? name : `${path}.${name}`),
    );
  }
  if (expected === came || (came !== undefined && String(expected) === String(came))) return [];
  return [`${path}: expected ${shown(expected)}, came ${shown(came)}`];
}

/** A value for people, in one line. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
