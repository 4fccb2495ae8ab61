import { type Session, SessionSchema } from "../../gen/breakglass/v1/session_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { dollars } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { PAGE_SIZE, printPages } from "./list-pages.ts";
import { joined, oneLine, type Printable, print } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;

/** What the commands that list take. */
export interface ListOptions extends ServerOptions {
  /** One message in proto JSON a line, instead of columns. */
  readonly json?: boolean;
}

/** Prints the caller's sessions, most recently active first. */
export async function sessions(options: ListOptions): Promise<ExitStatus> {
  const line = (session: Session) =>
    options.json ? jsonLine(SessionSchema, session) : sessionLine(session);
  return callServer(options, async (client, terminal) => {
    await printPages(async (pageToken) => {
      const page = await client.listSessions({ pageToken, pageSize: PAGE_SIZE });
      return { lines: page.sessions.map(line), nextPageToken: page.nextPageToken };
    }, terminal);
    return ExitStatus.ok;
  });
}

function sessionLine(session: Session): Printable {
  const { turnCount, runningTurnId, queuedTurnId } = session;
  const columns = [
    oneLine(session.sessionId, ID_CHARACTERS),
    timeText(session.lastActiveTime),
    turnCount === 1 ? print`1 turn` : print`${turnCount} turns`,
    oneLine(`${session.agent} on ${session.model}`, 60),
    session.totalCostUsd > 0 && dollars(session.totalCostUsd),
    runningTurnId !== "" && print`running ${oneLine(runningTurnId, ID_CHARACTERS)}`,
    queuedTurnId !== "" && print`queued ${oneLine(queuedTurnId, ID_CHARACTERS)}`,
  ];
  return print`${joined(
    columns.filter((column) => column !== false),
    "  ",
  )}\n`;
}
