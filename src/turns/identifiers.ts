import { randomUUID, randomUUIDv7 } from "node:crypto";

/** A new id that nobody can guess, for sessions and processes. */
export const newId: () => string = randomUUID;

/** A new turn id: a UUIDv7, which sorts by the time it was made. */
export const newTurnId: () => string = randomUUIDv7;
