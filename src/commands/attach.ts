import { callServer, type ServerOptions, serverOptionOf } from "./call-server.ts";
import type { ExitStatus } from "./exit-status.ts";
import { followTurn } from "./follow-turn.ts";
import { print } from "./terminal-text.ts";

/** What `attach` takes. */
export interface AttachOptions extends ServerOptions {
  /** Only events after this sequence are printed. */
  readonly after?: number;
  readonly json?: boolean;
  /** Text as it is written. Undefined: where stdout is a terminal. */
  readonly deltas?: boolean;
}

/** Prints a turn, running or ended, and follows it to its end, over broken connections too. */
export async function attach(turnId: string, options: AttachOptions): Promise<ExitStatus> {
  const request = { turnId, afterSequence: options.after ?? 0 };
  return callServer(options, (client, terminal, dropConnection) => {
    const follow = {
      json: options.json === true,
      deltas: options.deltas,
      interruptStops: false,
      joinHint: print``,
      serverOption: serverOptionOf(options),
      dropConnection,
    };
    return followTurn(client, { attach: request }, follow, terminal);
  });
}
