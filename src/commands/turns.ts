import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { PAGE_SIZE, printPages } from "./list-pages.ts";
import type { ListOptions } from "./sessions.ts";
import { joined, oneLine, type Printable, print } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;

/** Prints a session's turns, newest first. */
export async function turns(sessionId: string, options: ListOptions): Promise<ExitStatus> {
  const line = (turn: Turn) => (options.json ? jsonLine(TurnSchema, turn) : turnLine(turn));
  return callServer(options, async (client, terminal) => {
    await printPages(async (pageToken) => {
      const page = await client.listTurns({ sessionId, pageToken, pageSize: PAGE_SIZE });
      return { lines: page.turns.map(line), nextPageToken: page.nextPageToken };
    }, terminal);
    return ExitStatus.ok;
  });
}

function turnLine(turn: Turn): Printable {
  const columns = [oneLine(turn.turnId, ID_CHARACTERS), timeText(turn.createTime), turnFacts(turn)];
  return print`${joined(columns, "  ")}\n`;
}
