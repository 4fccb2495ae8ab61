import { toJsonString } from "@bufbuild/protobuf";
import { ErrorReason, ErrorReasonSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer } from "./call-server.ts";
import { enumName } from "./enum-name.ts";
import { ExitStatus } from "./exit-status.ts";
import { type ListOptions, timeText } from "./sessions.ts";
import { oneLine, terminalJson, terminalText } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";

const PROMPT_CHARACTERS = 60;

/** Prints a session's turns, newest first. */
export async function turns(sessionId: string, options: ListOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    let pageToken = "";
    do {
      const page = await client.listTurns({ sessionId, pageToken });
      for (const turn of page.turns) {
        const line = options.json ? terminalJson(toJsonString(TurnSchema, turn)) : turnLine(turn);
        await terminal.write(`${line}\n`);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && !terminal.gone.aborted);
    return ExitStatus.ok;
  });
}

function turnLine(turn: Turn): string {
  const state = stateWord(turn.state);
  const reason =
    turn.errorReason === ErrorReason.UNSPECIFIED
      ? ""
      : ` ${enumName(ErrorReasonSchema, turn.errorReason)}`;
  const prompt = oneLine(turn.prompt, PROMPT_CHARACTERS);
  return terminalText([turn.turnId, timeText(turn.createTime), state + reason, prompt].join("  "));
}
