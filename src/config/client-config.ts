import { ConfigError } from "./config-error.ts";
import type { Environment } from "./environment.ts";
import { defaultDataDir } from "./serve-config.ts";
import { readSettings, readText } from "./setting.ts";
import { COMMAND_SETTINGS } from "./settings/commands.ts";
import { STORAGE_SETTINGS } from "./settings/storage.ts";
import { unknownVariables } from "./unknown-variables.ts";

/** What the commands that talk to a server need to know. */
export interface ClientConfig {
  readonly url: string;
  /** The bearer token. Undefined: none is set. */
  readonly token: string | undefined;
  /** Where a server of this user's has its own token. Undefined: nowhere. */
  readonly dataDir: string | undefined;
}

/**
 * Reads the settings of the commands that talk to a server.
 *
 * @param url - What `--url` says; it wins over `BREAKGLASS_URL`.
 * @throws ConfigError for all that cannot be used, `serve`'s settings aside, and for all variables that are not known.
 */
export function readClientConfig(
  url?: string,
  environment: Environment = process.env,
): ClientConfig {
  const problems = unknownVariables(environment);
  const option = url && readText(COMMAND_SETTINGS.url, "--url", url, problems);
  const heeded = url ? { ...environment, BREAKGLASS_URL: undefined } : environment;
  const values = readSettings(COMMAND_SETTINGS, heeded, problems);
  ConfigError.throwIfAny(problems);
  return { url: option || values.url, token: values.token, dataDir: readDataDir(environment) };
}

/** The data directory of a server that this user serves with these variables. Undefined: it cannot be used. */
export function readDataDir(environment: Environment = process.env): string | undefined {
  const { dataDir } = STORAGE_SETTINGS;
  return readSettings({ dataDir }, environment, []).dataDir ?? defaultDataDir(environment);
}
