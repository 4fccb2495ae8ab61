/** What went wrong with a request, in a line for the operator: `fetch` says what happened in the cause of its error. */
export function fetchFailure(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  return `${message}: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`;
}
