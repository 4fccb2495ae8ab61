import { hostname, networkInterfaces } from "node:os";
import { cors } from "@connectrpc/connect";

/** What of a request tells where it comes from. */
export interface RequestOrigin {
  /** The Host header, or HTTP/2's `:authority`. */
  readonly host: string | undefined;
  /** The Origin header; null: not from a page. */
  readonly origin: string | null;
  /** The address that it came from. Undefined: unknown. */
  readonly from?: string | undefined;
}

/** How long a browser may keep the answer to a preflight; two hours is the most that Chromium takes. */
const PREFLIGHT_SECONDS = 7200;
const TOLD_LENGTH = 256;

/**
 * The hosts by which the server may be called and the origins of pages that may call it, compared exactly.
 *
 * A page elsewhere has another Origin, and a name that was rebound to this machine's address has another Host: neither
 * gets past, whatever the page sends.
 */
export class Origins {
  readonly #scheme: "http" | "https";
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  /** @param scheme - What the server itself serves, whatever a proxy in front of it does. */
  constructor(scheme: "http" | "https", hosts: readonly string[], origins: readonly string[]) {
    this.#scheme = scheme;
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
    this.#origins = new Set(origins);
  }

  /** Why a request is refused; undefined: it is not. */
  refusalOf(request: RequestOrigin): string | undefined {
    const host = request.host?.toLowerCase() ?? "";
    if (!this.#hosts.has(host)) {
      return `the host ${told(host)} is not one of this server's: see BREAKGLASS_ALLOWED_HOSTS`;
    }
    if (this.#allows(request)) return undefined;
    const origin = request.origin ?? "";
    const own = `${this.#scheme}://${host}`;
    if (origin === `http://${host}` || origin === `https://${host}`) {
      return `the origin ${told(origin)} is not this server's own, which is ${told(own)}: where a proxy ends TLS in front of it, name the page's origin in BREAKGLASS_ALLOWED_ORIGINS`;
    }
    return `the origin ${told(origin)} is not allowed: see BREAKGLASS_ALLOWED_ORIGINS`;
  }

  /** The headers that let a page read an answer, or send a request; none where the page may not. */
  corsHeaders(request: RequestOrigin, preflight: boolean): Record<string, string> {
    const { origin } = request;
    if (origin === null || this.refusalOf(request) !== undefined) return { vary: "origin" };
    const headers = {
      vary: "origin",
      "access-control-allow-origin": origin,
      "access-control-expose-headers": cors.exposedHeaders.join(", "),
    };
    if (!preflight) return headers;
    return {
      ...headers,
      "access-control-allow-methods": cors.allowedMethods.join(", "),
      "access-control-allow-headers": [...cors.allowedHeaders, "authorization"].join(", "),
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
  const cut = name.length > TOLD_LENGTH ? `${name.slice(0, TOLD_LENGTH)}…` : name;
  return JSON.stringify(cut);
}

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** The names by which a server that listens on `host` and `port` is called, besides those that were configured. */
export function ownHosts(host: string, port: number): string[] {
  const names = isAnyAddress(host)
    ? [
        ...LOOPBACK_NAMES,
        hostname(),
        ...Object.values(networkInterfaces()).flatMap((list) =>
          (list ?? []).map((entry) => bracketed(entry.address)),
        ),
      ]
    : isLoopback(host)
      ? [...LOOPBACK_NAMES, bracketed(host)]
      : [bracketed(host)];
  // Clients leave a scheme's own port out.
  return names.flatMap((name) =>
    port === 80 || port === 443 ? [name, `${name}:${port}`] : [`${name}:${port}`],
  );
}

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** An address as it stands in a URL. */
export function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}
