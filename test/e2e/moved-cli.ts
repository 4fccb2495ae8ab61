import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { Agents } from "../../src/agent/agents.ts";
import { ClaudeAgent } from "../../src/agent/claude/claude-agent.ts";
import { NO_RULES } from "../../src/agent/claude/permission-rules.ts";
import { createProcesses } from "../../src/agent/process/processes.ts";
import { createLog } from "../../src/log.ts";
import type { Store } from "../../src/store/store.ts";
import { keepTranscript } from "../../src/turns/keep-transcript.ts";
import type { MovedSession } from "../../src/turns/session-moves.ts";
import { TranscriptMoves } from "../../src/turns/transcript-moves.ts";

/** A machine with a CLI of its own, its configuration and its workspaces. */
export interface CliMachine extends AsyncDisposable {
  readonly configDir: string;
  readonly moves: TranscriptMoves;
  /** The session with a workspace there. */
  place(session: MovedSession): MovedSession;
  /** Runs a session's next turn to its end, by a process of its own. */
  run(session: MovedSession, prompt: string, hasHistory?: boolean): Promise<EventKind[]>;
  /** Has what is new of a session's conversation kept. */
  keep(session: MovedSession): Promise<void>;
}

/** Makes one below a directory, in an environment of its own. */
export async function makeMachine(
  root: string,
  command: string,
  modelUrl: string,
  store: Store,
): Promise<CliMachine> {
  const home = join(root, "home");
  const configDir = join(home, ".claude");
  await mkdir(home, { recursive: true });
  const log = createLog(() => {});
  const registry = { recordProcess: async () => {}, recordProcessGone: async () => {} };
  const agent = new ClaudeAgent({
    command,
    environment: {
      ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: configDir, IS_SANDBOX: "1" },
      ...{ ANTHROPIC_BASE_URL: modelUrl, ANTHROPIC_API_KEY: "made-up" },
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    },
    passedNames: [],
    maxEventBytes: 256 * 1024,
    processes: createProcesses({ registry, log, maxLineBytes: 16 * 1024 * 1024 }),
    defaults: { agent: "breakglass", model: "sonnet" },
    ...{ maxWarmProcesses: 0, warmMs: 0, spares: { count: 0, mode: PermissionMode.BYPASS } },
    ...{ trustsWorkspace: false, rules: NO_RULES },
  });
  const agents = new Agents(new Map([["driven", agent]]), "driven", async () => {});
  const surroundings = { store, agents, log };
  const moves = new TranscriptMoves(surroundings);
  return {
    ...{ configDir, moves },
    place: (session) => ({ ...session, workspace: join(root, "sessions", randomUUID()) }),
    async run({ sessionKey, workspace, conversationId }, prompt, hasHistory = true) {
      await mkdir(workspace, { recursive: true });
      const run = agent.start({
        ...{ turnId: randomUUID(), sessionKey, workspace, agentSessionId: conversationId, prompt },
        ...{ model: "sonnet", agent: "breakglass", permissionMode: PermissionMode.BYPASS },
        ...{ images: [], files: [], hasHistory },
      });
      const events = (await Array.fromAsync(run.events)).flat();
      await run.released;
      return events;
    },
    keep: (session) => keepTranscript(session, surroundings),
    async [Symbol.asyncDispose]() {
      await moves.drain(0);
      await agent.closeIdle();
      agent.killNow();
    },
  };
}
