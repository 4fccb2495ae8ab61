import { type Certificate, readCertificate } from "./certificate.ts";
import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { forgetLocalAddress, LocalToken } from "./identity/local-token.ts";
import { addressText } from "./listen-address.ts";
import type { Log } from "./log.ts";
import { isLoopback } from "./rpc/hosts.ts";
import { Tokens } from "./rpc/tokens.ts";
import { SettingSource } from "./setting-source.ts";

/** What is read again when the operator asks for it. */
export interface ReadFiles {
  readonly tokens: SettingSource<Tokens> | undefined;
  readonly certificate: SettingSource<Certificate> | undefined;
}

/** The token of the server's own user, where there are no tokens of others. Takes the data directory, which is there. */
export function localTokenOf(
  { dataDir, tokensFile }: ServeConfig,
  log: Log,
): LocalToken | undefined {
  forgetLocalAddress(dataDir);
  if (tokensFile !== undefined) return undefined;
  try {
    return LocalToken.keep(dataDir, log);
  } catch (error) {
    const shown = JSON.stringify(dataDir);
    throw new ConfigError(`BREAKGLASS_DATA_DIR is ${shown}: ${(error as Error).message}`);
  }
}

/** @throws ConfigError where one cannot be used. */
export function readFiles({ tokensFile, tls }: ServeConfig): ReadFiles {
  return {
    tokens:
      tokensFile === undefined
        ? undefined
        : new SettingSource("BREAKGLASS_TOKENS_FILE", () => Tokens.read(tokensFile)),
    certificate: tls && new SettingSource("BREAKGLASS_TLS_CERT", () => readCertificate(tls)),
  };
}

/**
 * Refuses what would let everyone in, and a rule that nobody could follow.
 *
 * @throws ConfigError.
 */
export function refuseUnusableAccess(config: ServeConfig): void {
  const { listen, approvers, selfApproval, tokensFile } = config;
  if (tokensFile === undefined && !("path" in listen) && !isLoopback(listen.host)) {
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(addressText(listen))}, which others can reach: set BREAKGLASS_TOKENS_FILE, or listen on 127.0.0.1`,
    );
  }
  if ("path" in listen && config.tls !== undefined) {
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(addressText(listen))}, which takes no TLS: nobody is on the way. Unset BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY`,
    );
  }
  if (approvers.length > 0 && tokensFile === undefined) {
    throw new ConfigError(
      "BREAKGLASS_APPROVERS names principals, but without BREAKGLASS_TOKENS_FILE everyone is `local`: set it",
    );
  }
  if (selfApproval === "forbidden" && approvers.length === 0) {
    throw new ConfigError(
      'BREAKGLASS_SELF_APPROVAL is "forbidden", but nobody else may approve: name principals in BREAKGLASS_APPROVERS',
    );
  }
}

/** A slip of the pen in a name would have every approval expire without a word. */
export function tellStrangers({ approvers }: ServeConfig, { tokens }: ReadFiles, log: Log): void {
  const strangers = approvers.filter((approver) => tokens?.current.knows(approver) !== true);
  if (strangers.length === 0) return;
  const why = "BREAKGLASS_TOKENS_FILE has no token of theirs";
  log.warn("BREAKGLASS_APPROVERS names principals who can answer nothing", { strangers, why });
}
