import { type Certificate, readCertificate } from "./certificate.ts";
import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Log } from "./log.ts";
import { bracketed, isLoopback } from "./rpc/hosts.ts";
import { Tokens } from "./rpc/tokens.ts";
import { SettingSource } from "./setting-source.ts";

/** What is read again when the operator asks for it. */
export interface ReadFiles {
  readonly tokens: SettingSource<Tokens> | undefined;
  readonly certificate: SettingSource<Certificate> | undefined;
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
export function refuseUnusableAccess(config: ServeConfig, { tokens }: ReadFiles): void {
  const { listen, approvers, selfApproval, tokensFile } = config;
  if (tokensFile === undefined && !isLoopback(listen.host)) {
    const shown = `${bracketed(listen.host)}:${listen.port}`;
    throw new ConfigError(
      `BREAKGLASS_LISTEN is ${JSON.stringify(shown)}, which others can reach: set BREAKGLASS_TOKENS_FILE, or listen on 127.0.0.1`,
    );
  }
  if (approvers.length > 0 && tokensFile === undefined) {
    throw new ConfigError(
      "BREAKGLASS_APPROVERS names principals, but without BREAKGLASS_TOKENS_FILE everyone is `local`: set it",
    );
  }
  const someoneApproves = approvers.length > 0 || tokens?.current.gives("approver", "admin");
  if (selfApproval === "forbidden" && !someoneApproves) {
    throw new ConfigError(
      'BREAKGLASS_SELF_APPROVAL is "forbidden", but nobody else may approve: name principals in BREAKGLASS_APPROVERS, or give a token the role approver',
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
