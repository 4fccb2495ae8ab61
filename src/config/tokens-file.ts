import { ConfigError } from "./config-error.ts";
import type { Environment } from "./environment.ts";
import { readSettings } from "./setting.ts";
import { CONNECTION_SETTINGS } from "./settings/connections.ts";
import { unknownVariables } from "./unknown-variables.ts";

const SETTINGS = { tokensFile: CONNECTION_SETTINGS.tokensFile } as const;

/**
 * The file of tokens that commands change, as an absolute path.
 *
 * @param file - What `--file` says; it wins over `BREAKGLASS_TOKENS_FILE`.
 * @throws ConfigError where neither says one, and for all variables that are not known.
 */
export function readTokensFile(file?: string, environment: Environment = process.env): string {
  const problems = unknownVariables(environment);
  const heeded = file ? { ...environment, BREAKGLASS_TOKENS_FILE: file } : environment;
  const { tokensFile } = readSettings(SETTINGS, heeded, problems);
  if (tokensFile === undefined && problems.length === 0) {
    problems.push("there is no file of tokens: give --file, or set BREAKGLASS_TOKENS_FILE");
  }
  ConfigError.throwIfAny(problems);
  return tokensFile!;
}
