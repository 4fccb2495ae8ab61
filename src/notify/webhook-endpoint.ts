import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request } from "node:http";
import { Agent as HttpsAgent, request as requestTls } from "node:https";

/** What came of an attempt to send a message. */
export type Attempt =
  | { readonly is: "taken"; readonly status: number }
  /** The receiver wants no more of them, ever (410). */
  | { readonly is: "gone"; readonly status: number }
  | {
      readonly is: "failed";
      /** For the log: without the URL's user and password. */
      readonly why: string;
      /** Undefined: there was no answer. */
      readonly status?: number;
      /** When the receiver asked to be tried again, in milliseconds from now. */
      readonly retryAfterMs?: number;
    };

export interface EndpointOptions {
  /** Its user and password go into an `Authorization` header, and nowhere else. */
  readonly url: string;
  /** For the whole attempt. */
  readonly timeoutMs: number;
  /** The only authorities that its certificate is verified by. Undefined: Node's. */
  readonly ca: () => string | undefined;
}

/** As many at a time. */
export const LANES = 4;
/** What is read of an answer's body, which says nothing: only so that the receiver can finish. */
const BODY_BYTES = 16 * 1024;
const BODY_MS = 1000;
const HEADER_BYTES = 16 * 1024;

/**
 * Where messages are sent to.
 *
 * 1. An attempt ends in time, whatever the receiver does, and holds a bounded part of what it answers.
 * 2. It goes to that place and no other: no redirect is followed, and no proxy of the environment's is asked.
 * 3. A certificate is verified, whatever the environment says.
 */
export class WebhookEndpoint {
  /** Without user and password. */
  readonly shown: string;
  readonly #url: URL;
  readonly #options: EndpointOptions;
  // 2. Node's own agent takes proxies from the environment where it is told to; one that is given none has none.
  readonly #http = new HttpAgent({ keepAlive: false, maxSockets: LANES });
  readonly #https = new HttpsAgent({ keepAlive: false, maxSockets: LANES });

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#url = new URL(options.url);
    this.shown = this.#url.origin;
  }

  /** Sends a body once. Never rejects. */
  async post(
    body: string,
    headers: Readonly<Record<string, string>>,
    stop: AbortSignal,
  ): Promise<Attempt> {
    const timeout = AbortSignal.timeout(this.#options.timeoutMs);
    const bytes = Buffer.from(body);
    try {
      const sent = this.#request({ ...headers, "content-length": String(bytes.length) }, [
        stop,
        timeout,
      ]);
      const answered = responseOf(sent);
      sent.end(bytes);
      const response = await answered;
      await drained(response);
      return attemptOf(response);
    } catch (error) {
      if (timeout.aborted) {
        return { is: "failed", why: `no answer within ${this.#options.timeoutMs / 1000} s` };
      }
      return { is: "failed", why: causeOf(error) };
    }
  }

  #request(headers: Readonly<Record<string, string>>, ends: AbortSignal[]): ClientRequest {
    const { protocol, hostname, port, pathname, search, username, password } = this.#url;
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const options = {
      method: "POST",
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port,
      path: `${pathname}${search}`,
      headers: {
        "content-type": "application/json",
        "user-agent": "breakglass",
        ...(username === "" && password === "" ? {} : { authorization: basic(credentials) }),
        ...headers,
      },
      maxHeaderSize: HEADER_BYTES,
      signal: AbortSignal.any(ends), // 1.
    };
    if (protocol === "http:") return request({ ...options, agent: this.#http });
    const ca = this.#options.ca();
    const tls = { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) }; // 3.
    return requestTls({ ...options, ...tls, agent: this.#https });
  }
}

function responseOf(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    // Also one that comes behind the answer: what it says counts for nothing then.
    sent.on("error", reject);
  });
}

/** Lets an answer end, if it does soon, and cuts it else. */
function drained(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(() => response.destroy(), BODY_MS);
    response.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES) response.destroy(); // 1.
    });
    response.on("error", () => {});
    response.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** As Standard Webhooks has it: 2xx is success, 410 the end of it, and everything else, a redirect too, is tried again. */
function attemptOf({ statusCode: status = 0, headers }: IncomingMessage): Attempt {
  if (status >= 200 && status < 300) return { is: "taken", status };
  if (status === 410) return { is: "gone", status };
  const isRedirect = status >= 300 && status < 400;
  const why = isRedirect ? `${status}: redirects are not followed` : String(status);
  const retryAfterMs = retryAfterOf(headers["retry-after"]);
  return { is: "failed", status, why, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Seconds, or a date. */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function basic(credentials: string): string {
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

function causeOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
