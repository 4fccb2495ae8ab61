import { type ListenAddress, UNIX_PREFIX } from "./config/kinds.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { ListenAddress as BoundAddress } from "./edge/listener.ts";
import { bracketed, Hosts, isAnyAddress } from "./rpc/hosts.ts";

/** An address as the setting has it. */
export function addressText(address: ListenAddress): string {
  if ("path" in address) return `${UNIX_PREFIX}${address.path}`;
  return `${bracketed(address.host)}:${address.port}`;
}

/** What a server binds. */
export function boundAddressOf({ listen, socketMode }: ServeConfig): BoundAddress {
  return "path" in listen ? { ...listen, mode: Number.parseInt(socketMode, 8) } : listen;
}

/**
 * The URL of a server, as the commands take it: `http://127.0.0.1:7433`, `unix:/run/breakglass/socket`. One that listens on every
 * address has none by the name of that: on its own machine it is `localhost`.
 */
export function urlOf({ listen, tls }: ServeConfig, port: number): string {
  if ("path" in listen) return addressText(listen);
  const host = isAnyAddress(listen.host) ? "localhost" : listen.host;
  return `${schemeOf(tls)}://${addressText({ host, port })}`;
}

/** The scheme of a server. */
export function schemeOf(tls: ServeConfig["tls"]): "http" | "https" {
  return tls === undefined ? "http" : "https";
}

/** By which hosts a server may be called. A socket in the file system has no name of its own: clients say `localhost`. */
export function hostsOf({ listen, allowedHosts }: ServeConfig, port: number): Hosts {
  return "path" in listen
    ? new Hosts("localhost", 80, allowedHosts)
    : new Hosts(listen.host, port, allowedHosts);
}
