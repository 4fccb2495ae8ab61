/** A command was given something that it cannot use. The message is one line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
