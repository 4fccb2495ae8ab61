import { toJsonString } from "@bufbuild/protobuf";
import { type Session, SessionSchema } from "../../gen/breakglass/v1/session_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { dollars } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { oneLine, terminalJson, terminalText } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";

/** What the commands that list take. */
export interface ListOptions extends ServerOptions {
  /** One message in proto JSON a line, instead of columns. */
  readonly json?: boolean;
}

/** Prints the caller's sessions, most recently active first. */
export async function sessions(options: ListOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    let pageToken = "";
    do {
      const page = await client.listSessions({ pageToken });
      for (const session of page.sessions) {
        await terminal.write(`${options.json ? sessionJson(session) : sessionLine(session)}\n`);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && !terminal.gone.aborted);
    return ExitStatus.ok;
  });
}

function sessionJson(session: Session): string {
  return terminalJson(toJsonString(SessionSchema, session));
}

function sessionLine(session: Session): string {
  const turns = `${session.turnCount} ${session.turnCount === 1 ? "turn" : "turns"}`;
  const columns = [
    session.sessionId,
    timeText(session.lastActiveTime),
    turns,
    oneLine(`${session.agent} on ${session.model}`, 60),
    session.totalCostUsd > 0 && dollars(session.totalCostUsd),
    session.runningTurnId !== "" && `running ${session.runningTurnId}`,
    session.queuedTurnId !== "" && `queued ${session.queuedTurnId}`,
  ];
  return terminalText(columns.filter((column) => column !== false).join("  "));
}
