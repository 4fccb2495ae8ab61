import { randomBytes, randomUUID } from "node:crypto";

/** A new id that nobody can guess, for sessions and processes. */
export const newId: () => string = randomUUID;

/** A new turn id: a UUIDv7 (RFC 9562, 5.7), which sorts by the time it was made. */
export function newTurnId(now: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join("-");
}
