import type { DescEnum } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { watchTurns } from "#client";
import {
  type WatchTurnsResponse,
  WatchTurnsResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { type TurnEvent, TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { enumName } from "../enum-name.ts";
import { approvalResolutionText } from "./approval-text.ts";
import { pendingApprovalText } from "./approvals.ts";
import { callServer } from "./call-server.ts";
import { type CommandForm, commandForm } from "./command-form.ts";
import { connectionText } from "./connection-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { FIRST_GIVE_UP_MS } from "./follow-turn.ts";
import { takeInterrupts } from "./interrupts.ts";
import { jsonLine } from "./json-line.ts";
import type { Terminal } from "./terminal.ts";
import { joined, oneLine, type Printable, print, shellWord } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";
import { filterOf, type TurnFilterOptions } from "./turn-list.ts";
import type { WatchOptions } from "./watch.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;

/** Prints what has not ended and what waits for an approval, and then each change, over broken connections too, until Ctrl-C. */
export async function watchAll(options: WatchOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal, dropConnection) => {
    using interrupts = takeInterrupts();
    const leave = AbortSignal.any([interrupts.first, interrupts.quit, terminal.gone]);
    const command = commandForm(options.url);
    let cursor = options.after ?? 0n;
    let isNow = cursor > 0n;
    const stream = {
      signal: leave,
      backOff: { firstGiveUpMs: FIRST_GIVE_UP_MS },
      onConnection: (change: Parameters<typeof connectionText>[0]) =>
        terminal.tell(connectionText(change)),
      dropConnection,
    };
    try {
      const request = { ...filterOf(options), afterCursor: cursor };
      for await (const news of watchTurns(client, request, stream)) {
        cursor = news.cursor;
        const text = options.json
          ? jsonLine(WatchTurnsResponseSchema, news)
          : newsText(news, isNow, terminal, command);
        await terminal.write(text);
        isNow ||= news.caughtUp;
      }
    } catch (error) {
      if (!leave.aborted) throw error;
    }
    const again = [print`--after ${cursor}`, ...givenIn(options)];
    terminal.tell(print`Watch again:`, command("watch", joined(again, " ")));
    return ExitStatus.detached;
  });
}

/** The options that say which turns, as they are typed. */
function givenIn({ state = [], principal, origin, grep }: TurnFilterOptions): Printable[] {
  const states = state.map((one) => optionWord(TurnStateSchema, one)).join();
  return [
    ...(states === "" ? [] : [print`--state ${shellWord(states)}`]),
    ...(principal === undefined ? [] : [print`--principal ${shellWord(principal)}`]),
    ...(origin === undefined
      ? []
      : [print`--origin ${shellWord(optionWord(TurnOriginSchema, origin))}`]),
    ...(grep === undefined ? [] : [print`--grep ${shellWord(grep)}`]),
  ];
}

function optionWord(schema: DescEnum, value: number): string {
  return enumName(schema, value).toLowerCase().replaceAll("_", "-");
}

/** @param isNow - It happened while it was watched, and not before. */
function newsText(
  { change }: WatchTurnsResponse,
  isNow: boolean,
  terminal: Terminal,
  command: CommandForm,
): Printable {
  switch (change.case) {
    case undefined:
      return print``;
    case "approvalRequested":
      return pendingApprovalText(change.value, terminal, command);
    case "approvalResolved":
      return resolutionLine(change.value);
    default: {
      const { createTime, endTime, turnId } = change.value;
      const heard = isNow ? timestampNow() : createTime;
      const [time, what] = {
        turnStarted: [createTime, print`started`] as const,
        turnChanged: [heard, print`now    `] as const,
        turnEnded: [endTime, print`ended  `] as const,
      }[change.case];
      const columns = [
        timeText(time),
        what,
        oneLine(turnId, ID_CHARACTERS),
        turnFacts(change.value),
      ];
      return print`${terminal.wrap(joined(columns, "  "))}\n`;
    }
  }
}

function resolutionLine({ turnId, createTime, kind }: TurnEvent): Printable {
  if (kind.case !== "approvalResolution") return print``;
  const columns = [timeText(createTime), print`decided`, oneLine(turnId, ID_CHARACTERS)];
  return print`${joined(columns, "  ")}  ${approvalResolutionText(kind.value)}`;
}
