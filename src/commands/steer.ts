import { randomUUID } from "node:crypto";
import { isAnswer } from "#client";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { readStdin } from "./read-stdin.ts";
import { MAX_MESSAGE_BYTES } from "./request-limits.ts";
import { resolveTurn } from "./resolve-id.ts";
import { print, shellWord } from "./terminal-text.ts";

/** What `steer` takes. */
export interface SteerOptions extends ServerOptions {
  readonly requestId?: string;
}

/**
 * Hands a running turn a message and prints where it is recorded.
 *
 * @param message - `-` reads it from stdin.
 * @throws UsageError where stdin is no UTF-8, or has more than a server takes.
 */
export async function steer(
  turn: string,
  message: string,
  options: SteerOptions,
): Promise<ExitStatus> {
  const told = message === "-" ? await readStdin("message", MAX_MESSAGE_BYTES) : message;
  // Always sent, so that a message whose answer was lost can be sent again without being told twice.
  const requestId = options.requestId ?? randomUUID();
  return callServer(options, async (client, terminal) => {
    const turnId = await resolveTurn(client, turn);
    try {
      const { sequence } = await client.steerTurn({ turnId, message: told, requestId });
      await terminal.write(print`recorded as event ${sequence}\n`);
      return ExitStatus.ok;
    } catch (error) {
      if (!isAnswer(error)) {
        terminal.tell(
          print`The same command with --request-id ${shellWord(requestId)} does not tell the agent twice.`,
        );
      }
      throw error;
    }
  });
}
