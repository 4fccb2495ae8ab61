import { callServer, type ServerOptions } from "./call-server.ts";
import { commandForm } from "./command-form.ts";
import type { ExitStatus } from "./exit-status.ts";
import { followTurn } from "./follow-turn.ts";
import { resolveTurn } from "./resolve-id.ts";
import { print } from "./terminal-text.ts";

/** What `attach` takes. */
export interface AttachOptions extends ServerOptions {
  /** Only events after this sequence are printed. */
  readonly after?: number;
  readonly json?: boolean;
  /** Inputs and outputs whole. */
  readonly full?: boolean;
  /** Text as it is written. Undefined: where stdout is a terminal. */
  readonly deltas?: boolean;
}

/** Prints a turn, running or ended, and follows it to its end, over broken connections too. */
export async function attach(turn: string, options: AttachOptions): Promise<ExitStatus> {
  return callServer(options, async (client, terminal, dropConnection) => {
    const turnId = await resolveTurn(client, turn);
    const request = { turnId, afterSequence: options.after ?? 0 };
    const follow = {
      json: options.json === true,
      deltas: options.deltas,
      interruptStops: false,
      joinHint: print``,
      full: options.full === true,
      command: commandForm(options.url),
      dropConnection,
    };
    return followTurn(client, { attach: request }, follow, terminal);
  });
}
