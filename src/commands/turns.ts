import { toJsonString } from "@bufbuild/protobuf";
import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { callServer } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import type { ListOptions } from "./sessions.ts";
import { terminalJson, terminalText } from "./terminal-text.ts";
import { timeText } from "./time-text.ts";
import { turnFacts } from "./turn-facts.ts";

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
  return terminalText([turn.turnId, timeText(turn.createTime), turnFacts(turn)].join("  "));
}
