import { readDataDir } from "../config/client-config.ts";
import { ConfigError } from "../config/config-error.ts";
import { readLocalToken } from "../identity/local-token.ts";
import { ExitStatus } from "./exit-status.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, print } from "./terminal-text.ts";

const PATH_CHARACTERS = 4000;

/**
 * Prints the token of the server's own user, for a client that is none of that user's processes.
 *
 * @throws ConfigError where there is none.
 */
export async function localToken(): Promise<ExitStatus> {
  const dataDir = readDataDir();
  const token = dataDir === undefined ? undefined : readLocalToken(dataDir);
  if (token === undefined) {
    const where = JSON.stringify(dataDir ?? "");
    throw new ConfigError(
      `there is no local token in ${where} that you may read: a server without BREAKGLASS_TOKENS_FILE makes it in its BREAKGLASS_DATA_DIR`,
    );
  }
  const terminal = openTerminal(process.stdout, process.stderr, false);
  await terminal.write(print`${oneLine(token, PATH_CHARACTERS)}\n`);
  return ExitStatus.ok;
}
