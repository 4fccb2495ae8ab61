import { randomUUID } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { callServer, type ServerOptions } from "./call-server.ts";
import type { ExitStatus } from "./exit-status.ts";
import { followTurn } from "./follow-turn.ts";
import { UsageError } from "./usage-error.ts";

/** What `run` takes. */
export interface RunOptions extends ServerOptions {
  readonly session?: string;
  readonly model?: string;
  readonly agent?: string;
  /** Seconds; fractions are taken. */
  readonly timeout?: number;
  readonly requestId?: string;
  readonly json?: boolean;
}

/**
 * Runs a turn and prints it as it happens, over broken connections too.
 *
 * @param prompt - What the agent is asked; `-` reads it from stdin.
 * @throws UsageError where stdin is no UTF-8.
 */
export async function run(prompt: string, options: RunOptions): Promise<ExitStatus> {
  const asked = prompt === "-" ? await readStdin() : prompt;
  // Always sent, so that a start that was never answered can be joined instead of run twice.
  const requestId = options.requestId ?? randomUUID();
  const request = {
    prompt: asked,
    requestId,
    sessionId: options.session ?? "",
    model: options.model ?? "",
    agent: options.agent ?? "",
    ...(options.timeout === undefined ? {} : { timeout: durationFromMs(options.timeout * 1000) }),
  };
  const joinHint = `The same command with --request-id ${requestId} joins the turn if it was started.`;
  return callServer(options, (client, terminal, dropConnection) => {
    const follow = { json: options.json === true, joinHint, dropConnection };
    return followTurn(client, { run: request }, follow, terminal);
  });
}

async function readStdin(): Promise<string> {
  const bytes = await buffer(process.stdin);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError("the prompt on stdin is not UTF-8");
  }
}
