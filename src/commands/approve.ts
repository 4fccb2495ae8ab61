import type { BreakglassClient } from "#client";
import { callServer, type ServerOptions } from "./call-server.ts";
import { ExitStatus } from "./exit-status.ts";
import { readStdin } from "./read-stdin.ts";
import { MAX_INPUT_BYTES } from "./request-limits.ts";
import { resolveApproval, resolveTurn } from "./resolve-id.ts";
import { print } from "./terminal-text.ts";

/** What `approve` takes. */
export interface ApproveOptions extends ServerOptions {
  /** The input to make the call with, a JSON object; `-` reads it from stdin. Undefined: as the agent asked for it. */
  readonly input?: string;
}

/** What `deny` takes. */
export interface DenyOptions extends ServerOptions {
  /** What the agent is told. */
  readonly message?: string;
}

/**
 * Allows a tool call that waits for an approval.
 *
 * @throws UsageError where stdin is no UTF-8, or has more than a server takes.
 */
export async function approve(
  turn: string,
  approval: string,
  options: ApproveOptions,
): Promise<ExitStatus> {
  const inputJson =
    options.input === "-" ? await readStdin("input", MAX_INPUT_BYTES) : options.input;
  const value = inputJson === undefined ? {} : { inputJson };
  return callServer(options, async (client, terminal) => {
    const ids = await approvalOf(client, turn, approval);
    await client.resolveApproval({ ...ids, decision: { case: "allow", value } });
    await terminal.write(
      inputJson === undefined ? print`allowed\n` : print`allowed with another input\n`,
    );
    return ExitStatus.ok;
  });
}

/** Denies a tool call that waits for an approval. */
export async function deny(
  turn: string,
  approval: string,
  options: DenyOptions,
): Promise<ExitStatus> {
  const value = { message: options.message ?? "" };
  return callServer(options, async (client, terminal) => {
    const ids = await approvalOf(client, turn, approval);
    await client.resolveApproval({ ...ids, decision: { case: "deny", value } });
    await terminal.write(print`denied\n`);
    return ExitStatus.ok;
  });
}

async function approvalOf(client: BreakglassClient, turn: string, approval: string) {
  const turnId = await resolveTurn(client, turn);
  return { turnId, approvalId: await resolveApproval(client, turnId, approval) };
}
