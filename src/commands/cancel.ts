import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { print } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";

/** Ends a turn and prints how it ended; a turn that has ended already is left as it is. */
export async function cancel(turnId: string, options: ServerOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    const { turn } = await client.cancelTurn({ turnId });
    await terminal.write(print`${stateWord(turn?.state ?? TurnState.UNSPECIFIED)}\n`);
    return ExitStatus.ok;
  });
}
