import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import {
  type Agent,
  type AgentRun,
  type AgentTurn,
  type EventKind,
  isTerminal,
} from "../../src/agent/agent.ts";
import type { ProcessSurroundings } from "../../src/agent/process/agent-process.ts";
import { createProcesses } from "../../src/agent/process/processes.ts";
import type { Environment } from "../../src/config/environment.ts";
import { createLog } from "../../src/log.ts";
import { processesWith } from "../support/processes.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";

/** An adapter, its program, and what is on record of its processes. */
export interface AgentUnderTest extends AsyncDisposable {
  readonly agent: Agent;
  /** Another adapter on the same machine, as after a restart of the server. */
  another(): Agent;
  /** The ids of the processes that were recorded and not recorded as gone. */
  readonly recorded: ReadonlySet<string>;
  readonly surroundings: ProcessSurroundings;
  /** Another session's first turn. */
  newTurn(prompt: string, more?: Partial<AgentTurn>): AgentTurn;
  /** Its processes that live now. */
  processes(): number[];
}

/** Makes an adapter ready that `create` makes. */
export async function openAgent(
  create: (processes: ProcessSurroundings, environment: Environment, marker: string) => Agent,
): Promise<AgentUnderTest> {
  const { root, variables, ...environment } = await createTestEnvironment();
  const recorded = new Set<string>();
  const surroundings = createProcesses({
    registry: {
      recordProcess: async ({ processId }) => void recorded.add(processId),
      recordProcessGone: async (processId) => void recorded.delete(processId),
    },
    ...{ log: createLog(() => {}), maxLineBytes: 1024 * 1024 },
  });
  const agents: Agent[] = [];
  const another = () => {
    const made = create(surroundings, variables, MARKER);
    agents.push(made);
    return made;
  };
  const agent = another();
  return {
    ...{ agent, another, recorded, surroundings },
    newTurn(prompt, more = {}) {
      const sessionKey = randomUUID();
      const workspace = join(root, sessionKey);
      mkdirSync(workspace);
      const ids = { turnId: randomUUID(), sessionKey, agentSessionId: agent.chooseConversation() };
      const rest = { images: [], files: [], permissionMode: PermissionMode.BYPASS };
      return { ...ids, workspace, prompt, ...agent.defaults, ...rest, ...more };
    },
    processes: () => processesWith(MARKER, variables[MARKER]!),
    async [Symbol.asyncDispose]() {
      await Promise.all(agents.map((each) => each.closeIdle()));
      for (const each of agents) each.killNow();
      await environment[Symbol.asyncDispose]();
    },
  };
}

/** The next turn of a turn's session, whose run is over, as it is on record. */
export function nextTurn(turn: AgentTurn, run: AgentRun, prompt: string): AgentTurn {
  return { ...turn, turnId: randomUUID(), agentSessionId: run.agentSessionId, prompt };
}

/** Reads a run to its end, and until its session can take the next turn. */
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

/** A run that is read while a test does other things. */
export function follow(run: AgentRun) {
  const events: EventKind[] = [];
  const ended = (async () => {
    for await (const batch of run.events) events.push(...batch);
    await run.released;
    return events;
  })();
  return { events, ended };
}

/** The places of the terminal events among all. */
export function endsIn(events: readonly EventKind[]): number[] {
  return events.flatMap((event, index) => (isTerminal(event) ? [index] : []));
}
