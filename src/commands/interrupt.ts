import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { resolveTurn } from "./resolve-id.ts";
import { print } from "./terminal-text.ts";
import { stateWord } from "./turn-outcome.ts";

/** Has a turn's agent stop what it does and prints how the turn ended; one that has ended already is left as it is. */
export async function interrupt(turn: string, options: ServerOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal) => {
    const turnId = await resolveTurn(client, turn);
    const ended = (await client.interruptTurn({ turnId })).turn;
    await terminal.write(print`${stateWord(ended?.state ?? TurnState.UNSPECIFIED)}\n`);
    return ExitStatus.ok;
  });
}
