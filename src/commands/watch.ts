import { watchSession } from "#client";
import {
  type WatchSessionResponse,
  WatchSessionResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { commandForm } from "./command-form.ts";
import { connectionText } from "./connection-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { FIRST_GIVE_UP_MS } from "./follow-turn.ts";
import { takeInterrupts } from "./interrupts.ts";
import { jsonLine } from "./json-line.ts";
import { resolveSession } from "./resolve-id.ts";
import { sessionText } from "./session-names.ts";
import { joined, oneLine, type Printable, print, shellWord } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";
import type { TurnFilterOptions } from "./turn-list.ts";
import { UsageError } from "./usage-error.ts";

/** The options that say which of all turns are watched. */
const FILTERS = ["state", "principal", "origin", "grep"] as const;
/** An id has 36. */
const ID_CHARACTERS = 100;

/** What `watch` takes. */
export interface WatchOptions extends ServerOptions, TurnFilterOptions {
  /** Only changes after this cursor are printed. */
  readonly after?: bigint;
  /** One WatchSessionResponse, or WatchTurnsResponse, in proto JSON a line, those without a change included. */
  readonly json?: boolean;
}

/** Prints each turn of a session as it starts and as it ends, over broken connections too, until Ctrl-C. */
export async function watch(session: string, options: WatchOptions): Promise<ExitStatus> {
  const given = FILTERS.filter((name) => options[name] !== undefined);
  if (given.length > 0) {
    throw new UsageError(`of a session all turns are watched: leave out --${given.join(", --")}`);
  }
  return callServer(options, async (client, terminal, dropConnection) => {
    const name = await resolveSession(client, session);
    using interrupts = takeInterrupts();
    const leave = AbortSignal.any([interrupts.first, interrupts.quit, terminal.gone]);
    let cursor = options.after ?? 0n;
    const stream = {
      signal: leave,
      backOff: { firstGiveUpMs: FIRST_GIVE_UP_MS },
      onConnection: (change: Parameters<typeof connectionText>[0]) =>
        terminal.tell(connectionText(change)),
      dropConnection,
    };
    try {
      for await (const news of watchSession(client, { ...name, afterCursor: cursor }, stream)) {
        cursor = news.cursor;
        await terminal.write(
          options.json === true ? jsonLine(WatchSessionResponseSchema, news) : newsLine(news),
        );
      }
    } catch (error) {
      if (!leave.aborted) throw error;
    }
    const again = commandForm(options.url)(
      "watch",
      print`${shellWord(sessionText(name))} --after ${cursor}`,
    );
    terminal.tell(print`Watch again:`, again);
    return ExitStatus.detached;
  });
}

function newsLine({ change }: WatchSessionResponse): Printable {
  if (change.case === undefined) return print``;
  const turn = change.value;
  const isStart = change.case === "turnStarted";
  const time = timeText(isStart ? turn.createTime : turn.endTime);
  const what = isStart ? print`started` : print`ended  `;
  const columns = [time, what, oneLine(turn.turnId, ID_CHARACTERS), turnFacts(turn)];
  return print`${joined(columns, "  ")}\n`;
}
