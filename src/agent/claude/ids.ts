const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the CLI can have given it to a conversation: only that becomes an argument of the CLI, or a part of a path. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
