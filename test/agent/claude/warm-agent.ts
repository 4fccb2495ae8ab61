import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { AgentRun, AgentTurn, EventKind, OwnWork } from "../../../src/agent/agent.ts";
import { ClaudeAgent, type ClaudeOptions } from "../../../src/agent/claude/claude-agent.ts";
import { createProcesses, type ProcessOptions } from "../../../src/agent/process/processes.ts";
import { createLog } from "../../../src/log.ts";
import { processesWith } from "../../support/processes.ts";
import { createTestEnvironment, MARKER } from "../../support/test-environment.ts";

/** The adapter with the scripted agent in the CLI's place. */
export interface WarmAgent extends AsyncDisposable {
  readonly agent: ClaudeAgent;
  /** Work that the agent began by itself and that was taken up, oldest first. */
  readonly ownWork: readonly OwnWork[];
  /** The ids of the processes that were recorded and not recorded as gone. */
  readonly recorded: ReadonlySet<string>;
  /** Another session's turn. */
  newTurn(prompt: string, more?: Partial<AgentTurn>): AgentTurn;
  /** The agents' processes that live now. */
  processes(): number[];
  /** What was given to a session's conversation, and which process played it. */
  played(turn: AgentTurn): { readonly prompt: string; readonly pid: number }[];
}

/** Starts nothing yet; at its end no process may be left. */
export async function createWarmAgent(
  options: Partial<ClaudeOptions> = {},
  processes: Partial<ProcessOptions> = {},
): Promise<WarmAgent> {
  const { root, variables, ...environment } = await createTestEnvironment();
  const recorded = new Set<string>();
  const ownWork: OwnWork[] = [];
  const agent = new ClaudeAgent({
    command: variables.BREAKGLASS_AGENT_COMMAND!,
    environment: { ...variables, ...options.environment },
    passedNames: [MARKER],
    maxEventBytes: 256 * 1024,
    processes: createProcesses({
      registry: {
        recordProcess: async ({ processId }) => void recorded.add(processId),
        recordProcessGone: async (processId) => void recorded.delete(processId),
      },
      ...{ log: createLog(() => {}), maxLineBytes: 1024 * 1024, ...processes },
    }),
    defaults: { agent: "breakglass", model: "sonnet" },
    maxWarmProcesses: 8,
    warmMs: 60_000,
    spares: { count: 0, mode: PermissionMode.BYPASS },
    trustsWorkspace: false,
    rules: { allow: [], deny: [] },
    ...options,
  });
  agent.onOwnWork((work) => {
    ownWork.push(work);
    return randomUUID();
  });
  return {
    agent,
    ownWork,
    recorded,
    newTurn: (prompt, more = {}) => {
      const sessionKey = randomUUID();
      const workspace = join(root, sessionKey);
      mkdirSync(workspace);
      return { ...aTurn, turnId: randomUUID(), sessionKey, workspace, prompt, ...ids(), ...more };
    },
    processes: () => processesWith(MARKER, variables[MARKER]!),
    played: ({ agentSessionId }) => playedIn(root, agentSessionId),
    async [Symbol.asyncDispose]() {
      await agent.closeIdle();
      agent.killNow();
      await environment[Symbol.asyncDispose]();
    },
  };
}

/** The session's next turn. */
export function nextTurn(turn: AgentTurn, prompt: string, more: Partial<AgentTurn> = {}) {
  return { ...turn, turnId: randomUUID(), prompt, ...more };
}

/** Reads a run to its end, and until the session can take its next turn. */
export async function finish(run: AgentRun): Promise<EventKind[]> {
  const batches = await Array.fromAsync(run.events);
  await run.released;
  return batches.flat();
}

/** What the events of one kind hold, in order. */
export function valuesIn<K extends EventKind["case"]>(events: readonly EventKind[], kind: K) {
  return events.flatMap((event) =>
    event.case === kind ? [event.value as Extract<EventKind, { case: K }>["value"]] : [],
  );
}

/** Runs a turn to its end; answers what came, and the process that played it. */
export async function run(warm: WarmAgent, turn: AgentTurn) {
  const events = await finish(warm.agent.start(turn));
  return { events, said: said(events), pid: warm.played(turn).at(-1)?.pid };
}

/** What the agent said. */
export function said(events: readonly EventKind[]): string[] {
  return valuesIn(events, "text").map(({ text }) => text);
}

const aTurn = {
  model: "sonnet",
  agent: "breakglass",
  permissionMode: PermissionMode.BYPASS,
  images: [],
  files: [],
};

function ids() {
  return { agentSessionId: randomUUID() };
}

function playedIn(root: string, agentSessionId: string) {
  const directory = join(root, ".claude", "projects", "scripted");
  if (!existsSync(directory)) return [];
  const name = readdirSync(directory).find((file) => file === `${agentSessionId}.jsonl`);
  if (name === undefined) return [];
  // The CLI may just have created it.
  const lines = readFileSync(join(directory, name), "utf8").split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as { prompt: string; pid: number });
}
