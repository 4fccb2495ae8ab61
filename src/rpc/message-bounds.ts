import { Refusal } from "../errors.ts";

/** The elements of a message: fields, and in JSON also the items of lists. The largest that is meant has about 90. */
export const MAX_ELEMENTS = 1000;
/** How deep messages, groups, objects and lists may stand in each other. What is meant goes three deep. */
export const MAX_DEPTH = 32;

/** A message above the limit of its method. */
export class MessageTooLarge extends Error {
  override readonly name = "MessageTooLarge";

  constructor(maxBytes: number) {
    super(`the message is larger than the ${maxBytes} bytes that this method takes`);
  }
}

/** Refuses a message of more elements than `MAX_ELEMENTS`. */
export function tooManyElements(): Refusal {
  const what = `the message must have at most ${MAX_ELEMENTS} fields and items`;
  return new Refusal("INVALID_ARGUMENT", what);
}

/** Refuses a message that is deeper than `MAX_DEPTH`. */
export function tooDeep(): Refusal {
  const what = `the message must be at most ${MAX_DEPTH} levels deep`;
  return new Refusal("INVALID_ARGUMENT", what);
}

/** Refuses one field for what is wrong with it. */
export function wrongField(field: string, description: string): Refusal {
  const violations = [{ field, description }];
  return new Refusal("INVALID_ARGUMENT", `${field} ${description}`, { violations });
}

/** Refuses a field with whose text all of the message becomes too long. */
export function tooMuchText(field: string, maxBytes: number): Refusal {
  return wrongField(field, `is too long: a request may have at most ${maxBytes} bytes of text`);
}
