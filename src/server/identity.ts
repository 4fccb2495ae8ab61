import { join } from "node:path";
import type { ServeConfig } from "../config/serve-config.ts";
import { FileWatch } from "../file-watch.ts";
import type { Authenticator } from "../identity/authenticator.ts";
import { BearerAuthenticator } from "../identity/bearer.ts";
import type { Means } from "../identity/caller.ts";
import { type NameKind, nameKey } from "../identity/certificate-names.ts";
import { CertificateAuthenticator } from "../identity/certificates.ts";
import { Jwts } from "../identity/jwts.ts";
import { KeyCache } from "../identity/key-cache.ts";
import { LocalAccess } from "../identity/local-access.ts";
import type { LocalToken } from "../identity/local-token.ts";
import { ProxyAuthenticator } from "../identity/proxy-users.ts";
import { RefusedSignIns } from "../identity/refused-sign-ins.ts";
import { SignIn } from "../identity/sign-in.ts";
import type { Log } from "../log.ts";
import type { ReadFiles } from "./access.ts";

/** By what a server tells who makes a request. */
export interface Identity {
  readonly signIn: SignIn;
  /** The means that there are, in the order in which they are asked. */
  readonly means: readonly Means[];
  /** What becomes of those who are nobody; who records such things listens to it. */
  readonly refused: RefusedSignIns;
  /**
   * Has the files that decide who somebody is read again when they change.
   *
   * @param then - Is called behind that.
   */
  watch(then: () => void): void;
  /** Watches and fetches no more. */
  stop(): void;
}

/**
 * Puts together by what people are told, in its order: bearer tokens, a proxy's word, certificates.
 *
 * @param local - The token of the server's own user, where nobody else is to be told. Undefined: others are, or everyone is `local`.
 */
export function openIdentity(
  config: ServeConfig,
  files: ReadFiles,
  local: LocalToken | undefined,
  log: Log,
): Identity {
  const { tokens, issuers } = files;
  const cache = new KeyCache(join(config.dataDir, "issuer-keys"));
  const jwts = issuers && new Jwts(() => issuers.current, cache, log);
  const watches: FileWatch[] = [];
  return {
    means: meansOf(config),
    signIn: new SignIn({
      authenticators: local ? [new LocalAccess(local)] : authenticatorsOf(config, files, jwts),
    }),
    refused: new RefusedSignIns(log),
    watch(then) {
      const { certificates, clientCa, certificate } = files;
      const watched = [
        [tokens, () => [config.tokensFile!]],
        [certificates, () => [config.clientCertificatesFile!]],
        [clientCa, () => [config.clientCa!]],
        [issuers, () => issuers!.current.files],
        [certificate, () => [config.tls!.cert, config.tls!.key]],
      ] as const;
      for (const [source, paths] of watched) {
        if (source === undefined) continue;
        const changed = () => {
          source.readAgain(log);
          then();
        };
        watches.push(new FileWatch(paths, changed));
      }
    },
    stop() {
      for (const watch of watches) watch.stop();
      jwts?.stop();
    },
  };
}

function meansOf(config: ServeConfig): readonly Means[] {
  const { tokensFile, jwtIssuersFile, proxyUserHeader, clientCertificatesFile } = config;
  const means: (Means | false)[] = [
    tokensFile !== undefined && "token",
    jwtIssuersFile !== undefined && "jwt",
    proxyUserHeader !== undefined && "proxy",
    clientCertificatesFile !== undefined && "certificate",
  ];
  const found = means.filter((one) => one !== false);
  return found.length === 0 ? ["local"] : found;
}

function authenticatorsOf(
  config: ServeConfig,
  { tokens, certificates }: ReadFiles,
  jwts: Jwts | undefined,
): readonly Authenticator[] {
  const { proxyUserHeader: userHeader, proxyRolesHeader: rolesHeader, proxyRoles: roles } = config;
  const proxies = new Set(config.proxyCertificates.map(certificateKey));
  const found: Authenticator[] = [];
  if (tokens !== undefined || jwts !== undefined) {
    found.push(new BearerAuthenticator({ tokens: () => tokens?.current, jwts: () => jwts }));
  }
  if (userHeader !== undefined) {
    found.push(new ProxyAuthenticator({ userHeader, rolesHeader, roles, proxies }));
  }
  if (certificates !== undefined) {
    found.push(new CertificateAuthenticator(() => certificates.current, proxies));
  }
  return found;
}

function certificateKey(text: string): string {
  const colon = text.indexOf(":");
  return nameKey(text.slice(0, colon) as NameKind, text.slice(colon + 1));
}
