import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { printList } from "./list-pages.ts";
import { resolveSession } from "./resolve-id.ts";
import type { ListOptions } from "./sessions.ts";
import type { Terminal } from "./terminal.ts";
import { joined, oneLine, type Printable, print } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";
import { type TurnFilterOptions, turnsOf } from "./turn-list.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;

/** What `turns` takes. */
export interface TurnsOptions extends ListOptions, TurnFilterOptions {}

/** Prints a session's turns, or without one all that the caller may see, newest first. */
export async function turns(
  session: string | undefined,
  options: TurnsOptions,
): Promise<ExitStatus> {
  const { url, json, limit, ...filter } = options;
  return callServer(options, async (client, terminal) => {
    const name = session === undefined ? undefined : await resolveSession(client, session);
    const line = (turn: Turn) => (json ? jsonLine(TurnSchema, turn) : turnLine(turn, terminal));
    const isAll = Object.keys(filter).length === 0;
    const none = json ? undefined : isAll ? print`No turns.` : print`No such turns.`;
    const listed = turnsOf(client, { ...name, limit, ...filter });
    await printList(listed, { line, none, limit }, terminal);
    return ExitStatus.ok;
  });
}

function turnLine(turn: Turn, terminal: Terminal): Printable {
  const columns = [oneLine(turn.turnId, ID_CHARACTERS), timeText(turn.createTime), turnFacts(turn)];
  return print`${terminal.wrap(joined(columns, "  "))}\n`;
}
