const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a text can be the id of a turn: what is none is no error, nor on record. */
export function isTurnId(text: string): boolean {
  return UUID.test(text);
}
