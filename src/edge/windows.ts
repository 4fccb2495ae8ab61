import type { ServerHttp2Session } from "node:http2";

/**
 * What may be on its way of a body, and of all bodies of a connection: the largest prompt comes in two round trips. With
 * HTTP/2's own 64 KiB one of 8 MiB would take 128.
 */
const WINDOW_BYTES = 8 * 1024 * 1024;

/**
 * Opens a connection's windows for bodies. To be called once a request on it was admitted, and not before: a stranger is
 * not read from, and what it sends unasked is kept until it is refused.
 *
 * A window promises room for what nobody reads yet. Here that is nobody's: a body that is read flows into blocks that are
 * counted (`RequestBodies`), and every other is thrown away as it comes (`leaveUnread`). So the windows set the pace of
 * bodies, and the budget what they hold.
 */
export function openWindows(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  session.settings({ initialWindowSize: WINDOW_BYTES });
  // The setting is of streams alone.
  session.setLocalWindowSize(WINDOW_BYTES);
}
