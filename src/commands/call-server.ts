import { type BreakglassClient, createBreakglassClient, errorInfoOf, refusalLines } from "#client";
import { openGrpcConnection } from "#client/node";
import { readClientConfig } from "../config/client-config.ts";
import { readColorWanted } from "../config/environment.ts";
import { localTokenFor } from "../identity/local-token.ts";
import { type CommandForm, commandForm } from "./command-form.ts";
import { ExitStatus } from "./exit-status.ts";
import { type FailedCall, failureAdvice } from "./failure-advice.ts";
import { EndlessListError } from "./list-pages.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import { oneLine, print, shellWord } from "./terminal-text.ts";

/** A server may say more in an error than anybody reads. */
const FAILURE_LINES = 20;
const FAILURE_CHARACTERS = 1000;

/** What every command that talks to a server takes. */
export interface ServerOptions {
  /** The server. Undefined: what the environment says. */
  readonly url?: string;
}

/**
 * Lends a client and the terminal to `use`, and closes the connection when it is done. A call that fails is told on stderr.
 *
 * @param use - `drop` gives up the connection that is open; the next call opens another.
 * @param flags - The options that fields of the request come from: what is wrong is told by the name that was typed.
 * @throws ConfigError where the environment or `url` cannot be used; and whatever `use` throws that is not a call's failure.
 */
export async function callServer(
  options: ServerOptions,
  use: (client: BreakglassClient, terminal: Terminal, drop: () => void) => Promise<ExitStatus>,
  flags: Readonly<Record<string, string>> = {},
): Promise<ExitStatus> {
  const { url, token, dataDir } = readClientConfig(options.url);
  const local = dataDir === undefined ? undefined : localTokenFor(dataDir, url);
  const terminal = openTerminal(process.stdout, process.stderr, readColorWanted());
  const at = oneLine(url, FAILURE_CHARACTERS);
  const onSilence = (method: string) =>
    terminal.tell(
      print`breakglass: ${at}: ${oneLine(method, 60)} has not been answered yet; waiting.`,
    );
  const connection = openGrpcConnection(url, token ?? local, { onSilence });
  try {
    return await use(createBreakglassClient(connection.transport), terminal, connection.drop);
  } catch (error) {
    const call = { url, hasToken: token !== undefined, flags, command: commandForm(options.url) };
    if (!tellFailure(error, call, terminal)) throw error;
    return ExitStatus.refused;
  } finally {
    connection.close();
  }
}

interface ToldCall extends FailedCall {
  readonly flags: Readonly<Record<string, string>>;
  readonly command: CommandForm;
}

const TURN_ID = /^[0-9a-f-]{36}$/;

/** The id of the turn because of which a call was refused, where that is why. */
function turnInTheWay(error: unknown): string | undefined {
  const info = errorInfoOf(error);
  const turnId = info?.reason === "TURN_IN_PROGRESS" ? info.metadata.turn_id : undefined;
  return turnId !== undefined && TURN_ID.test(turnId) ? turnId : undefined;
}

function tellFailure(error: unknown, call: ToldCall, terminal: Terminal): boolean {
  const { url, flags } = call;
  const lines = error instanceof EndlessListError ? [error.message] : refusalLines(error);
  if (lines === undefined) return false;
  const [first = print`no message`, ...more] = lines
    .slice(0, FAILURE_LINES)
    .map((line) => oneLine(inFlags(line, flags), FAILURE_CHARACTERS));
  terminal.tell(print`breakglass: ${oneLine(url, FAILURE_CHARACTERS)}: ${first}`);
  for (const line of more) terminal.tell(print`  ${line}`);
  const advice = failureAdvice(error, call);
  if (advice !== undefined) terminal.tell(print`  ${advice}`);
  const turnId = turnInTheWay(error);
  if (turnId !== undefined) {
    const cancel = call.command("cancel", shellWord(turnId));
    terminal.tell(print`  Wait until that turn is over, or end it:`, cancel);
  }
  const left = lines.length - FAILURE_LINES;
  if (left > 0) terminal.tell(print`  … ${left} more lines`);
  return true;
}

/** A line about a field, by the name of the option that it comes from. */
function inFlags(line: string, flags: ToldCall["flags"]): string {
  const field = /^[a-z_]+/.exec(line)?.[0] ?? "";
  const flag = Object.hasOwn(flags, field) ? flags[field] : undefined;
  return flag === undefined ? line : line.replace(field, flag);
}
