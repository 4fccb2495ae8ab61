import type { BreakglassClient } from "#client";
import type { Session } from "../../gen/breakglass/v1/session_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { eventsSoFar } from "./events-so-far.ts";
import { ExitStatus } from "./exit-status.ts";
import { FORMATS, type ReportFormat, type ReportFormatName } from "./report-formats.ts";
import { resolveEither } from "./resolve-id.ts";
import type { Terminal } from "./terminal.ts";
import { turnsOf } from "./turn-list.ts";

/** What `export` takes. */
export interface ExportOptions extends ServerOptions {
  readonly format?: ReportFormatName;
}

/**
 * Prints the report of a turn, or of all turns of a session, oldest first: prompt, commands, outputs, approvals with the
 * names of who gave them, times and cost.
 *
 * @param id - Of a turn or a session.
 */
export async function exportReport(id: string, options: ExportOptions): Promise<ExitStatus> {
  const format = FORMATS[options.format ?? "md"];
  return callServer(options, async (client, terminal) => {
    const { session, turnIds } = await reported(client, id);
    await terminal.write(format.begin(session));
    for (const [index, turnId] of turnIds.entries()) {
      if (terminal.gone.aborted) break;
      await writeTurn(client, turnId, index === 0, format, terminal);
    }
    await terminal.write(format.end());
    return ExitStatus.ok;
  });
}

async function writeTurn(
  client: BreakglassClient,
  turnId: string,
  isFirst: boolean,
  format: ReportFormat,
  terminal: Terminal,
): Promise<void> {
  const { turn } = await client.getTurn({ turnId });
  if (turn === undefined) return;
  await terminal.write(format.beginTurn(turn, isFirst));
  let isFirstEvent = true;
  for await (const event of eventsSoFar(client, turnId, terminal.gone)) {
    if (event.kind.case === "checkpoint") continue;
    await terminal.write(format.event(event, isFirstEvent));
    isFirstEvent = false;
  }
  await terminal.write(format.endTurn());
}

/** The session whose report it is, where it is one's, and its turns, oldest first. */
async function reported(
  client: BreakglassClient,
  id: string,
): Promise<{ session: Session | undefined; turnIds: string[] }> {
  const found = await resolveEither(client, id);
  if (found.turnIds.length > 0) return { session: undefined, turnIds: found.turnIds };
  const [sessionId = ""] = found.sessionIds;
  const { session } = await client.getSession({ sessionId });
  const turnIds: string[] = [];
  for await (const { turnId } of turnsOf(client, { sessionId })) turnIds.push(turnId);
  return { session, turnIds: turnIds.reverse() };
}
