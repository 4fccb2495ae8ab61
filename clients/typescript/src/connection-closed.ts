import { Code, ConnectError } from "@connectrpc/connect";

/** The cause of the ConnectError by which calls end whose connection their own client closed. It is never tried again. */
export class ConnectionClosedError extends Error {
  override readonly name = "ConnectionClosedError";

  constructor() {
    super("this client has closed its connection");
  }
}

/** What calls on a closed connection fail with: the transports pass a ConnectError on as it is. */
export function connectionClosed(): ConnectError {
  const cause = new ConnectionClosedError();
  return new ConnectError(cause.message, Code.Canceled, undefined, undefined, cause);
}

const closings = new WeakMap<object, AbortSignal>();

/** Has those who read over a transport, or by a client over it, learn when its connection is closed. */
export function setClosing(user: object, signal: AbortSignal | undefined): void {
  if (signal !== undefined) closings.set(user, signal);
}

/** Aborts when the connection is closed that a transport or a client uses. Undefined: nobody closes it. */
export function closingOf(user: object): AbortSignal | undefined {
  return closings.get(user);
}

/** Whether a call ended because its own client closed the connection. */
export function isOwnClose(error: unknown): boolean {
  return error instanceof ConnectError && error.cause instanceof ConnectionClosedError;
}
