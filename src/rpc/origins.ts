import { cors } from "@connectrpc/connect";
import type { Hosts } from "./hosts.ts";

/** What of a request tells where it comes from. */
export interface RequestOrigin {
  /** The Host header, or HTTP/2's `:authority`. */
  readonly host: string | undefined;
  /** The Origin header; null: not from a page. */
  readonly origin: string | null;
}

/** Why a request is refused for where it comes from. */
export interface OriginRefusal {
  /** For whoever called. */
  readonly message: string;
  /** What lets it in, for the operator: a setting with its value. */
  readonly mend: string;
}

/** How long a browser may keep the answer to a preflight; two hours is the most that Chromium takes. */
const PREFLIGHT_SECONDS = 7200;
const TOLD_LENGTH = 256;
/** Beside what the protocols need: what a page without a client of ours reads and sends. */
const EXPOSED_HEADERS = [...cors.exposedHeaders, "content-location", "retry-after"].join(", ");
const ALLOWED_HEADERS = [
  ...cors.allowedHeaders,
  ...["authorization", "last-event-id", "traceparent", "tracestate"],
].join(", ");

/**
 * The hosts by which the server may be called, and the origins of pages that may call it, compared exactly.
 *
 * A page elsewhere has another Origin, and a name that was rebound to this machine's address has another Host: neither
 * gets past, whatever the page sends.
 */
export class Origins {
  readonly #scheme: "http" | "https";
  readonly #hosts: Hosts;
  readonly #origins: ReadonlySet<string>;

  /** @param scheme - What the server itself serves, whatever a proxy in front of it does. */
  constructor(scheme: "http" | "https", hosts: Hosts, origins: readonly string[]) {
    this.#scheme = scheme;
    this.#hosts = hosts;
    this.#origins = new Set(origins);
  }

  /** Why a request is refused; undefined: it is not. */
  refusalOf(request: RequestOrigin): OriginRefusal | undefined {
    const host = request.host?.toLowerCase() ?? "";
    if (!this.#hosts.has(host)) {
      const message = `the host ${told(host)} is not one of this server's: see BREAKGLASS_ALLOWED_HOSTS`;
      return { message, mend: `BREAKGLASS_ALLOWED_HOSTS=${cut(host)}` };
    }
    if (this.#allows(request)) return undefined;
    const origin = request.origin ?? "";
    const mend = `BREAKGLASS_ALLOWED_ORIGINS=${cut(origin)}`;
    const own = `${this.#scheme}://${host}`;
    if (origin === `http://${host}` || origin === `https://${host}`) {
      const message = `the origin ${told(origin)} is not this server's own, which is ${told(own)}: where a proxy ends TLS in front of it, name the page's origin in BREAKGLASS_ALLOWED_ORIGINS`;
      return { message, mend };
    }
    const message = `the origin ${told(origin)} is not allowed: see BREAKGLASS_ALLOWED_ORIGINS`;
    return { message, mend };
  }

  /** The headers that let a page read an answer, or send a request; none where the page may not. */
  corsHeaders(request: RequestOrigin, preflight: boolean): Record<string, string> {
    const { origin } = request;
    if (origin === null || this.refusalOf(request) !== undefined) return { vary: "origin" };
    const headers = {
      vary: "origin",
      "access-control-allow-origin": origin,
      "access-control-expose-headers": EXPOSED_HEADERS,
      // A page may know which HTTP its calls went over: a client warns of HTTP/1.1's few connections.
      "timing-allow-origin": origin,
    };
    if (!preflight) return headers;
    return {
      ...headers,
      "access-control-allow-methods": cors.allowedMethods.join(", "),
      "access-control-allow-headers": ALLOWED_HEADERS,
      "access-control-max-age": String(PREFLIGHT_SECONDS),
    };
  }

  #allows({ host, origin }: RequestOrigin): boolean {
    if (origin === null || this.#origins.has(origin)) return true;
    // The service's own page. Over the other scheme it is anyone's who is on the way.
    return origin === `${this.#scheme}://${host?.toLowerCase()}`;
  }
}

/** It is answered in a header: one as long as a request's may be is too long for that. */
function told(name: string): string {
  return JSON.stringify(cut(name));
}

function cut(name: string): string {
  return name.length > TOLD_LENGTH ? `${name.slice(0, TOLD_LENGTH)}…` : name;
}
