import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { ConfigError } from "./config-error.ts";
import type { Environment } from "./environment.ts";
import { readSettings } from "./setting.ts";
import { SERVE_SETTINGS } from "./settings/sections.ts";
import { completeSnapshotUrl } from "./snapshot-url.ts";
import { unknownVariables } from "./unknown-variables.ts";

/** What `serve` needs to know; nothing in it is read again later. A name that ends in `Ms` is in milliseconds. */
export type ServeConfig = ReturnType<typeof readServeConfig>;

/**
 * Reads the server's settings.
 *
 * @throws ConfigError for all that cannot be used and all variables that are not known.
 */
export function readServeConfig(environment: Environment = process.env) {
  const problems = unknownVariables(environment);
  const { tlsCert, tlsKey, auditKey, ...values } = readSettings(
    SERVE_SETTINGS,
    environment,
    problems,
  );
  problems.push(...halfOfTls(environment));
  if (values.snapshotUrl !== undefined && !environment.BREAKGLASS_STORE) {
    problems.push(NO_MOVES);
  }
  const home = findHome(environment);
  const dataDir = values.dataDir ?? defaultDataDir(environment);
  // The CLI keeps its conversations at home too, which each turn looks for.
  if (dataDir === undefined || (!environment.CLAUDE_CONFIG_DIR && home === undefined)) {
    problems.push(NO_HOME);
  }
  ConfigError.throwIfAny(problems);
  return {
    ...values,
    tls: tlsCert === undefined || tlsKey === undefined ? undefined : { cert: tlsCert, key: tlsKey },
    dataDir: dataDir!,
    snapshotAddress: completeSnapshotUrl(values.snapshotUrl, environment),
    sessionsDir: values.sessionsDir ?? join(dataDir!, "sessions"),
    auditKeyFile: auditKey ?? join(dataDir!, "audit-key.pem"),
    /** The audit's key is the server's to make. */
    isAuditKeyOwn: auditKey === undefined,
    /** The server's own environment, from which the agent's is picked by an allow-list. */
    environment: { ...environment } as Environment,
  };
}

const NO_MOVES =
  "BREAKGLASS_SNAPSHOT_URL is set, but sessions move between servers on one database alone: set BREAKGLASS_STORE";
const NO_HOME =
  "HOME is not set, and the server's user has no home directory: set it to a directory of that user's";

function halfOfTls({ BREAKGLASS_TLS_CERT: cert, BREAKGLASS_TLS_KEY: key }: Environment): string[] {
  if (!cert === !key) return [];
  const missing = cert ? "BREAKGLASS_TLS_KEY" : "BREAKGLASS_TLS_CERT";
  return [`${missing} is not set, but TLS takes both BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY`];
}

/** The data directory where none is set; undefined: there is no home to have it in. */
export function defaultDataDir(environment: Environment): string | undefined {
  const { XDG_STATE_HOME: state } = environment;
  // The XDG specification: a relative path is invalid and to be ignored.
  if (state && isAbsolute(state)) return join(state, "breakglass");
  const home = findHome(environment);
  return home && join(home, ".local", "state", "breakglass");
}

/** Undefined: there is none, as for a user of a container who is nothing but a number. */
function findHome({ HOME }: Environment): string | undefined {
  if (HOME) return HOME;
  try {
    return homedir();
  } catch {
    return undefined;
  }
}
