import type { HttpRequest } from "./http.ts";

/** Whom a request is meant for, and what it asks for. */
export interface RequestTarget {
  /** The authority: a host, and a port where it is not the scheme's own. */
  readonly host: string;
  /** The path, with its query. */
  readonly path: string;
}

/** A target that names its authority (RFC 9112, 3.2.2). */
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;
/** What no host has in it: user information, a path, a list. */
const NO_HOST = /[\s@/\\?#,]/;

/**
 * Reads the target of a request. Undefined: it names no host, or more than one.
 *
 * Every place that may name the host is looked at, and all of them must name the same: whatever stands in front of this
 * server may have looked at another one.
 */
export function targetOf(request: HttpRequest): RequestTarget | undefined {
  const [, authority, rest = ""] = ABSOLUTE.exec(request.url ?? "") ?? [];
  const path =
    authority === undefined ? (request.url ?? "") : rest.startsWith("/") ? rest : `/${rest}`;
  const named = hostsOf(request);
  if (authority !== undefined) named.push(authority);
  const [host = "", ...others] = named;
  const isOne = others.every((other) => other.toLowerCase() === host.toLowerCase());
  if (host === "" || !isOne || NO_HOST.test(host)) return undefined;
  // A URL is made of it, and what that throws nobody catches.
  return URL.canParse(path, `http://${host}`) ? { host, path } : undefined;
}

/** What a platform asks a server, by whatever address it has. */
export const PROBES = { health: "/healthz", readiness: "/readyz" } as const;

/** Whether a request is a platform's probe: it may call the server by another host. */
export function isProbe({ path }: RequestTarget): boolean {
  return Object.values<string>(PROBES).includes(path.split("?", 1)[0] ?? "");
}

/** What the headers name; more than one line of HTTP/1.1 stands for more than one host, whatever is in it (RFC 9112, 3.2). */
function hostsOf(request: HttpRequest): string[] {
  if ("stream" in request) {
    const { ":authority": authority, host } = request.headers;
    return [authority, host].filter((name) => typeof name === "string");
  }
  const lines = request.headersDistinct.host ?? [];
  return lines.length > 1 ? ["", ""] : [...lines];
}
