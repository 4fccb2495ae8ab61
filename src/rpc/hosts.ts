import { hostname, networkInterfaces } from "node:os";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
/** A loopback address as a URL has it: no name, so that none that is rebound gets past. */
const LOOPBACK_LITERAL = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/;
const NAME_AND_PORT = /^(.*?)(?::(\d{1,5}))?$/;

/**
 * The hosts by which a server may be called.
 *
 * 1. Its own names, with its own port.
 * 2. Where it listens on loopback, also among others: `localhost` and loopback addresses with any port. A tunnel (`ssh -L`,
 *    `kubectl port-forward`) has one of its own. A name that a stranger rebound to this machine is never one of these.
 * 3. What was configured: with a port exactly that, without one any.
 */
export class Hosts {
  readonly #exact: ReadonlySet<string>;
  readonly #anyPort: ReadonlySet<string>;
  readonly #isOnLoopback: boolean;

  /**
   * @param host - The name or address that it listens on, without brackets.
   * @param allowed - As clients name them.
   */
  constructor(host: string, port: number, allowed: readonly string[]) {
    const names = allowed.map((name) => name.toLowerCase());
    this.#exact = new Set([...ownHosts(host, port), ...names.filter(hasPort)]);
    this.#anyPort = new Set(names.filter((name) => !hasPort(name)));
    this.#isOnLoopback = isLoopback(host) || isAnyAddress(host);
  }

  /** Whether a server may be called so; `host` is in lower case. */
  has(host: string): boolean {
    if (this.#exact.has(host)) return true;
    const name = nameOf(host);
    return this.#anyPort.has(name) || (this.#isOnLoopback && isLoopbackHost(name));
  }
}

/** The names by which a server that listens on `host` and `port` is called, besides those that were configured. */
export function ownHosts(host: string, port: number): string[] {
  const names = isAnyAddress(host)
    ? [
        ...LOOPBACK_NAMES,
        hostname().toLowerCase(),
        ...Object.values(networkInterfaces()).flatMap((list) =>
          (list ?? []).map((entry) => bracketed(entry.address)),
        ),
      ]
    : isLoopback(host)
      ? [...LOOPBACK_NAMES, bracketed(host)]
      : [bracketed(host).toLowerCase()];
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

/** Whether to listen there is to listen on all addresses. */
export function isAnyAddress(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isLoopbackHost(name: string): boolean {
  return name === "localhost" || LOOPBACK_LITERAL.test(name);
}

function hasPort(host: string): boolean {
  return nameOf(host) !== host;
}

/** A host without its port. */
function nameOf(host: string): string {
  return NAME_AND_PORT.exec(host)?.[1] ?? host;
}
