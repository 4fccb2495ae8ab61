import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";

/** Whether anything is set by which somebody can be told; else everyone is `local`. */
export function tellsPeople(config: ServeConfig): boolean {
  const { tokensFile, clientCertificatesFile, jwtIssuersFile, proxyUserHeader } = config;
  const means = [tokensFile, clientCertificatesFile, jwtIssuersFile, proxyUserHeader];
  return means.some((setting) => setting !== undefined);
}

/**
 * Refuses settings that lack another, or by which nobody could ever be told.
 *
 * @throws ConfigError, a line for each.
 */
export function refuseUnusableIdentity(config: ServeConfig): void {
  const { clientCa, clientCertificatesFile: map, proxyCertificates, tls } = config;
  const { proxyUserHeader: header, proxyRolesHeader: rolesHeader, listen } = config;
  const isUnix = "path" in listen;
  const names = proxyCertificates.length > 0;
  const rules: readonly (readonly [isBroken: boolean, problem: string])[] = [
    [
      clientCa !== undefined && tls === undefined,
      "BREAKGLASS_CLIENT_CA is set, but without TLS no client shows a certificate: set BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY",
    ],
    [
      clientCa !== undefined && map === undefined && !names,
      "BREAKGLASS_CLIENT_CA is set, but certificates stand for nobody: set BREAKGLASS_CLIENT_CERTIFICATES_FILE or BREAKGLASS_PROXY_CERTIFICATES",
    ],
    [
      map !== undefined && clientCa === undefined,
      "BREAKGLASS_CLIENT_CERTIFICATES_FILE is set, but no certificate of a client is trusted: set BREAKGLASS_CLIENT_CA",
    ],
    [
      names && clientCa === undefined,
      "BREAKGLASS_PROXY_CERTIFICATES is set, but no certificate of a client is trusted: set BREAKGLASS_CLIENT_CA",
    ],
    [
      names && header === undefined,
      "BREAKGLASS_PROXY_CERTIFICATES is set, but nothing of a proxy is heeded: set BREAKGLASS_PROXY_USER_HEADER",
    ],
    [
      header !== undefined && !names && !isUnix,
      "BREAKGLASS_PROXY_USER_HEADER is set, but no proxy would be heeded: listen on a unix socket, or set BREAKGLASS_PROXY_CERTIFICATES",
    ],
    [
      rolesHeader !== undefined && header === undefined,
      "BREAKGLASS_PROXY_ROLES_HEADER is set, but no user is: set BREAKGLASS_PROXY_USER_HEADER",
    ],
  ];
  ConfigError.throwIfAny(rules.flatMap(([isBroken, problem]) => (isBroken ? problem : [])));
}
