import {
  constants,
  type Http2Stream,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { Allowance } from "../stream/allowance.ts";
import type { HttpRequest } from "./http.ts";
import { PrincipalAllowances } from "./principal-allowances.ts";

/** What one principal may reset, over all its connections: at once, and a second. */
const OF_PRINCIPAL = [1000, 50] as const;
/** What may be reset on one connection, by whoever shares it. */
const OF_CONNECTION = [5000, 500] as const;

/**
 * Counts the requests over HTTP/2 that are reset before they are answered: the server has worked for each, and nobody reads
 * what came of it. A stream that was answered may be left at any time, and is not counted; a stranger's is.
 *
 * 1. A principal that resets too many is to be refused for a while, on whichever connection.
 * 2. A connection with too many, of whomever, is to go.
 */
export class ResetLimits {
  readonly #endConnection: (session: ServerHttp2Session) => void;
  readonly #ofPrincipals = new PrincipalAllowances(OF_PRINCIPAL);
  readonly #principals = new WeakMap<Http2Stream, string>();

  /** @param endConnection - Ends one; it may be told more than once of the same. */
  constructor(endConnection: (session: ServerHttp2Session) => void) {
    this.#endConnection = endConnection;
  }

  /** Sees to what becomes of the requests of a connection. */
  watch(session: ServerHttp2Session): void {
    const allowance = new Allowance(...OF_CONNECTION);
    session.on("stream", (stream: ServerHttp2Stream) => {
      const look = () => {
        const isReset = stream.aborted || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
        // A connection that is gone, or is to go, takes its streams with it: nobody reset them.
        if (!isReset || session.closed || session.destroyed) return;
        const principal = this.#principals.get(stream);
        if (principal !== undefined && stream.headersSent) return;
        if (principal !== undefined) this.#ofPrincipals.use(principal);
        if (!allowance.use()) this.#endConnection(session);
      };
      // One that is reset in the same piece as it came is over before anybody hears of it.
      if (stream.destroyed) look();
      else stream.once("close", look);
    });
  }

  /** Whose a request is. */
  setPrincipal(request: HttpRequest, principal: string): void {
    if ("stream" in request) this.#principals.set(request.stream, principal);
  }

  /** Whether a principal has reset so many that it is to be refused. */
  isOver(principal: string): boolean {
    return this.#ofPrincipals.isUsedUp(principal);
  }
}
