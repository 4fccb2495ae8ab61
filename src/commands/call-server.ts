import { type BreakglassClient, createBreakglassClient } from "../client/breakglass-client.ts";
import { openGrpcConnection } from "../client/grpc-connection.ts";
import { refusalLines } from "../client/refusal-text.ts";
import { readClientConfig, readColorWanted } from "../config.ts";
import { ExitStatus } from "./exit-status.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { terminalText } from "./terminal-text.ts";

/** What every command that talks to a server takes. */
export interface ServerOptions {
  /** The server. Undefined: what the environment says. */
  readonly url?: string;
}

/**
 * Lends a client and the terminal to `use`, and closes the connection when it is done. A call that fails is told on stderr.
 *
 * @param use - `drop` gives up the connection that is open; the next call opens another.
 * @throws ConfigError where the environment or `url` cannot be used; and whatever `use` throws that is not a call's failure.
 */
export async function callServer(
  options: ServerOptions,
  use: (client: BreakglassClient, terminal: Terminal, drop: () => void) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const { url, token } = readClientConfig(options.url);
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const connection = openGrpcConnection(url, token);
  try {
    return await use(createBreakglassClient(connection.transport), terminal, connection.drop);
  } catch (error) {
    if (!tellFailure(error, url, terminal)) throw error;
    return ExitStatus.refused;
  } finally {
    connection.close();
  }
}

/** What another command needs to reach the same server, in a shell: ` --url URL`; empty where none was named. */
export function serverOptionOf({ url }: ServerOptions): string {
  if (url === undefined) return "";
  const isPlain = /^[\w.:/@%+=,-]+$/.test(url);
  return ` --url ${isPlain ? url : `'${url.replaceAll("'", "'\\''")}'`}`;
}

function tellFailure(error: unknown, url: string, terminal: Terminal): boolean {
  const lines = refusalLines(error);
  if (lines === undefined) return false;
  const [first = "", ...more] = lines.map(terminalText);
  terminal.tell(`breakglass: ${url}: ${first}`);
  for (const line of more) terminal.tell(`  ${line}`);
  return true;
}
