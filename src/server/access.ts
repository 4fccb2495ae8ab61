import { type Certificate, readCertificate, readClientCa } from "../certificate.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { CertificateMap } from "../identity/certificates.ts";
import { type Issuers, readIssuers } from "../identity/issuers.ts";
import { forgetLocalAddress, LocalToken } from "../identity/local-token.ts";
import type { SignIn } from "../identity/sign-in.ts";
import { Tokens } from "../identity/tokens.ts";
import { refuseUnusableIdentity, tellsPeople } from "../identity-rules.ts";
import { addressText } from "../listen-address.ts";
import type { Log } from "../log.ts";
import { isLoopback } from "../rpc/hosts.ts";
import { SettingSource } from "../setting-source.ts";
import { type NotifierFiles, readNotifierFiles } from "./notifier.ts";

/** What is read again when the operator asks for it. */
export interface ReadFiles extends NotifierFiles {
  readonly tokens: SettingSource<Tokens> | undefined;
  readonly certificate: SettingSource<Certificate> | undefined;
  readonly clientCa: SettingSource<Buffer> | undefined;
  readonly certificates: SettingSource<CertificateMap> | undefined;
  readonly issuers: SettingSource<Issuers> | undefined;
}

/** The token of the server's own user, where nobody else is to be told. Takes the data directory, which is there. */
export function localTokenOf(config: ServeConfig, log: Log): LocalToken | undefined {
  const { dataDir } = config;
  forgetLocalAddress(dataDir);
  if (tellsPeople(config)) return undefined;
  try {
    return LocalToken.keep(dataDir, log);
  } catch (error) {
    const shown = JSON.stringify(dataDir);
    throw new ConfigError(`BREAKGLASS_DATA_DIR is ${shown}: ${(error as Error).message}`);
  }
}

/** @throws ConfigError where one cannot be used. */
export function readFiles(config: ServeConfig): ReadFiles {
  const { tokensFile, tls, clientCa, clientCertificatesFile, jwtIssuersFile } = config;
  return {
    ...readNotifierFiles(config),
    tokens: source("BREAKGLASS_TOKENS_FILE", tokensFile, (path) => Tokens.read(path)),
    certificate: source("BREAKGLASS_TLS_CERT", tls, (files) => readCertificate(files)),
    clientCa: source("BREAKGLASS_CLIENT_CA", clientCa, (path) => readClientCa(path)),
    certificates: source("BREAKGLASS_CLIENT_CERTIFICATES_FILE", clientCertificatesFile, (path) =>
      CertificateMap.read(path),
    ),
    issuers: source("BREAKGLASS_JWT_ISSUERS_FILE", jwtIssuersFile, readIssuers),
  };
}

function source<P, T>(
  variable: string,
  place: P | undefined,
  read: (place: P) => T,
): SettingSource<T> | undefined {
  return place === undefined ? undefined : new SettingSource(variable, () => read(place));
}

/**
 * Refuses what would let everyone in, and a rule that nobody could follow.
 *
 * @throws ConfigError.
 */
export function refuseUnusableAccess(config: ServeConfig, { tokens }: ReadFiles): void {
  const { listen, approvers, selfApproval, tls, plaintext } = config;
  refuseUnusableIdentity(config);
  const shown = addressText(listen);
  const isNear = "path" in listen || isLoopback(listen.host);
  if ("path" in listen && tls !== undefined) {
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, which takes no TLS: nobody is on the way. Unset BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY`,
    );
  }
  if (!tellsPeople(config) && !isNear) {
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, which others can reach: set BREAKGLASS_TOKENS_FILE, or listen on 127.0.0.1`,
    );
  }
  if (tls === undefined && plaintext === "loopback" && !isNear) {
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, where tokens would cross the network in the clear: set BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY or, where nobody else reads that network, BREAKGLASS_PLAINTEXT=anywhere`,
    );
  }
  if (approvers.length > 0 && !tellsPeople(config)) {
    throw new ConfigError(
      "BREAKGLASS_APPROVERS names principals, but without BREAKGLASS_TOKENS_FILE everyone is `local`: set it",
    );
  }
  if (selfApproval === "forbidden" && approvers.length === 0 && !mayHaveApprovers(config, tokens)) {
    throw new ConfigError(
      'BREAKGLASS_SELF_APPROVAL is "forbidden", but nobody else may approve: name principals in BREAKGLASS_APPROVERS, or give a token the role approver',
    );
  }
}

/** Whether somebody may come with the role: what an issuer, a certificate or a proxy says is known only then. */
function mayHaveApprovers(
  { jwtIssuersFile, clientCertificatesFile, proxyUserHeader }: ServeConfig,
  tokens: ReadFiles["tokens"],
): boolean {
  const others = [jwtIssuersFile, clientCertificatesFile, proxyUserHeader];
  if (others.some((other) => other !== undefined)) return true;
  return tokens?.current.gives("approver", "admin") === true;
}

/** A slip of the pen in a name would have every approval expire without a word. */
export function tellStrangers({ approvers }: ServeConfig, signIn: SignIn, log: Log): void {
  const strangers = approvers.filter((approver) => signIn.knows(approver) === false);
  if (strangers.length === 0) return;
  const why = "BREAKGLASS_TOKENS_FILE has no token of theirs";
  log.warn("BREAKGLASS_APPROVERS names principals who can answer nothing", { strangers, why });
}
