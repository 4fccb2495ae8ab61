import { randomUUID } from "node:crypto";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { attachedFiles } from "./attached-file.ts";
import { callServer, type ServerOptions } from "./call-server.ts";
import { commandForm } from "./command-form.ts";
import type { ExitStatus } from "./exit-status.ts";
import { followTurn } from "./follow-turn.ts";
import { readStdin } from "./read-stdin.ts";
import { MAX_PROMPT_BYTES } from "./request-limits.ts";
import { resolveSession } from "./resolve-id.ts";
import { print, shellWord } from "./terminal-text.ts";

/** The options by the fields that they become. */
const FLAGS = {
  session_id: "--session",
  model: "--model",
  agent: "--agent",
  timeout: "--timeout",
  max_cost_usd: "--max-cost",
  max_model_turns: "--max-model-turns",
  request_id: "--request-id",
  attachments: "--attach",
};

/** What `run` takes. */
export interface RunOptions extends ServerOptions {
  readonly session?: string;
  readonly model?: string;
  readonly agent?: string;
  readonly agentKind?: string;
  /** Seconds; fractions are taken. */
  readonly timeout?: number;
  /** What the turn may cost, in US dollars. */
  readonly maxCost?: number;
  /** How often it may call the model. */
  readonly maxModelTurns?: number;
  readonly requestId?: string;
  /** The agent asks before each tool call that the rules do not allow. */
  readonly ask?: boolean;
  /** The agent does everything that the rules do not deny. */
  readonly bypass?: boolean;
  /** Files that go with the prompt. */
  readonly attach?: readonly string[];
  /** Text as it is written. Undefined: where stdout is a terminal. */
  readonly deltas?: boolean;
  readonly json?: boolean;
  readonly recall?: boolean;
  /** Inputs and outputs whole. */
  readonly full?: boolean;
}

/**
 * Runs a turn and prints it as it happens, over broken connections too.
 *
 * @param prompt - What the agent is asked; `-` reads it from stdin.
 * @throws UsageError where stdin is no UTF-8, a file cannot be read, or either has more than a server takes.
 */
export async function run(prompt: string, options: RunOptions): Promise<ExitStatus> {
  const asked = prompt === "-" ? await readStdin("prompt", MAX_PROMPT_BYTES) : prompt;
  // Always sent, so that a start that was never answered can be joined instead of run twice.
  const requestId = options.requestId ?? randomUUID();
  const request = {
    prompt: asked,
    requestId,
    model: options.model ?? "",
    agent: options.agent ?? "",
    agentKind: options.agentKind ?? "",
    recall: options.recall === true,
    maxCostUsd: options.maxCost ?? 0,
    maxModelTurns: options.maxModelTurns ?? 0,
    permissionMode: permissionModeOf(options),
    attachments: await attachedFiles(options.attach ?? []),
    ...(options.timeout === undefined ? {} : { timeout: durationFromMs(options.timeout * 1000) }),
  };
  const joinHint = print`The same command with --request-id ${shellWord(requestId)} joins the turn if it was started.`;
  return callServer(
    options,
    async (client, terminal, dropConnection) => {
      const { session } = options;
      const name = session === undefined ? {} : await resolveSession(client, session);
      const follow = {
        json: options.json === true,
        deltas: options.deltas,
        interruptStops: true,
        joinHint,
        full: options.full === true,
        command: commandForm(options.url),
        dropConnection,
      };
      return followTurn(client, { run: { ...request, ...name } }, follow, terminal);
    },
    FLAGS,
  );
}

function permissionModeOf({ ask, bypass }: RunOptions): PermissionMode {
  if (ask === true) return PermissionMode.ASK;
  return bypass === true ? PermissionMode.BYPASS : PermissionMode.UNSPECIFIED;
}
