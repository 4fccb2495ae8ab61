import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { type Session, SessionSchema } from "../../gen/breakglass/v1/session_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { dollars } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { jsonLine } from "./json-line.ts";
import { allPages, PAGE_SIZE, printList } from "./list-pages.ts";
import { OwnSessions, sessionText } from "./session-names.ts";
import { sharesText } from "./shares.ts";
import type { Terminal } from "./terminal.ts";
import { joined, oneLine, type Printable, print } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { stateWord } from "./turn-outcome.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;
const NAME_CHARACTERS = 300;
const PROMPT_CHARACTERS = 60;

/** What the commands that list take. */
export interface ListOptions extends ServerOptions {
  /** One message in proto JSON a line, instead of columns. */
  readonly json?: boolean;
  /** So many at most. */
  readonly limit?: number;
}

/** A session, and what the commands take for it. */
interface NamedSession {
  readonly session: Session;
  readonly name: string;
}

/** Prints the sessions that the caller may see, most recently active first, each with where its last turn stands. */
export async function sessions(options: ListOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    const listed = allPages(async (pageToken) => {
      const pageSize = Math.min(PAGE_SIZE, options.limit ?? PAGE_SIZE);
      const page = await client.listSessions({ pageToken, pageSize });
      return { items: page.sessions, nextPageToken: page.nextPageToken };
    });
    const own = new OwnSessions(client);
    const named = (async function* () {
      for await (const session of listed) {
        const isOwn = options.json || (await own.has(session));
        const { sessionId, principal } = session;
        yield {
          session,
          name: sessionText({ sessionId, sessionPrincipal: isOwn ? "" : principal }),
        };
      }
    })();
    const line = ({ session, name }: NamedSession) =>
      options.json ? jsonLine(SessionSchema, session) : sessionLine(session, name, terminal);
    const none = options.json ? undefined : print`No sessions.`;
    await printList(named, { line, none, limit: options.limit }, terminal);
    return ExitStatus.ok;
  });
}

function sessionLine(session: Session, name: string, terminal: Terminal): Printable {
  const { turnCount, runningTurnId, queuedTurnId, lastTurnState, lastPrompt } = session;
  const columns = [
    oneLine(name, NAME_CHARACTERS),
    timeText(session.lastActiveTime),
    turnCount === 1 ? print`1 turn` : print`${turnCount} turns`,
    oneLine(`${session.agent} on ${session.model}`, 60),
    session.totalCostUsd > 0 && dollars(session.totalCostUsd),
    lastTurnState !== TurnState.UNSPECIFIED && stateWord(lastTurnState),
    runningTurnId !== "" && print`running ${oneLine(runningTurnId, ID_CHARACTERS)}`,
    queuedTurnId !== "" && print`queued ${oneLine(queuedTurnId, ID_CHARACTERS)}`,
    sharesText(session),
    lastPrompt !== "" && oneLine(lastPrompt, PROMPT_CHARACTERS),
  ];
  const line = joined(
    columns.filter((column) => column !== false && column !== undefined),
    "  ",
  );
  return print`${terminal.wrap(line)}\n`;
}
