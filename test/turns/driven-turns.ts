import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { isLive } from "#client/turn-state";
import {
  ApprovalRequestEventSchema,
  ResultEventSchema,
  SessionEventSchema,
  TextEventSchema,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { createLog } from "../../src/log.ts";
import type { TurnRecord } from "../../src/store/records.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { ownView } from "../../src/store/views.ts";
import type { RunRequest } from "../../src/turn-requests.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import type { TurnLimits } from "../../src/turns/turn-surroundings.ts";
import { Turns, type TurnsOptions } from "../../src/turns/turns.ts";
import { callerNamed } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import { DrivenAgent, type DrivenRun, drivenAgents } from "./driven-agent.ts";
import { HeldStore } from "./held-store.ts";

/** Who runs the turns. */
export const PRINCIPAL = "operator";
/** Longer than any test. */
export const HOUR_MS = 3_600_000;

/** No turn reaches them. */
export const LIMITS: TurnLimits = {
  ...{ timeoutMs: HOUR_MS, idleTimeoutMs: HOUR_MS, approvalMs: HOUR_MS / 2, silenceMs: HOUR_MS },
  ...{ maxEventBytes: 1_000_000, maxTurnBytes: 2 ** 30, maxCostUsd: 0, maxModelTurns: 0 },
};

/** Turns on a real store, whose agent does what a test says, step by step. */
export interface DrivenTurns extends AsyncDisposable {
  readonly turns: Turns;
  readonly agent: DrivenAgent;
  readonly store: HeldStore;
  /** Another server on the same store, with an agent of its own. */
  another(): Turns;
  /** Starts a turn of the mode ASK in a session of its own; the agent has begun. */
  begin(
    request?: Partial<RunRequest>,
    principal?: string,
  ): Promise<{ turnId: string; run: DrivenRun }>;
  /** From now on the database takes no event and no conversation. */
  fillDisk(): Promise<void>;
  clearDisk(): Promise<void>;
  /** Has the store be opened under another lease, as by a server that takes this one for gone. This one does not know of it. */
  loseLease(): Promise<void>;
  /** The events that are on disk. */
  readLog(turnId: string): Promise<TurnEvent[]>;
  /** The turn once its end is on disk. */
  ended(turnId: string): Promise<TurnRecord>;
}

export type Settings = Partial<Omit<TurnsOptions, "limits">> & {
  limits?: Partial<TurnsOptions["limits"]>;
};

/** Starts them, with limits that no turn reaches unless told otherwise. */
export async function startDrivenTurns(
  settings: Settings = {},
  agent = new DrivenAgent(),
): Promise<DrivenTurns> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-driven-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const path = join(root, "breakglass.db");
  let real = await openStore(path);
  cleanup.defer(() => real.close());
  const store = new HeldStore(real);
  const sessionsDir = join(root, "sessions");
  await mkdir(sessionsDir);
  const turns = new Turns(optionsOf(settings, store.asStore, agent, sessionsDir));
  cleanup.defer(async () => {
    store.isHeld = false;
    await Promise.all([turns.drain(0), store.settle()]);
  });
  const owned = cleanup.move();
  return {
    ...{ turns, agent, store },
    another() {
      const other = new Turns(
        optionsOf(settings, store.asStore, new DrivenAgent(), join(root, "sessions")),
      );
      owned.defer(() => other.drain(0));
      return other;
    },
    async begin(request = {}, principal = PRINCIPAL) {
      const prompt = randomUUID();
      const { turnId } = await turns.run(
        { ...REQUEST, prompt, ...request },
        callerNamed(principal),
      );
      const run = agent.runOf(prompt);
      await run.started;
      return { turnId, run };
    },
    fillDisk: () => real.recordProcess(FULL, real.lease.epoch),
    clearDisk: () => real.recordProcessGone(FULL.processId),
    async loseLease() {
      await real.close();
      real = await openSqliteStore(path);
      store.replace(real);
    },
    readLog: async (turnId) => (await real.readEvents(turnId, 0, Infinity)).map(decodeEvent),
    ended: (turnId) =>
      eventually(
        () => real.getTurn(turnId, { ...ownView(PRINCIPAL), seesAll: true }),
        ({ state }) => !isLive(state),
        30_000,
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Asks for a turn of the mode ASK, in a session of its own. */
export const REQUEST: RunRequest = {
  ...{
    sessionId: "",
    sessionPrincipal: "",
    prompt: "",
    agentKind: "",
    model: "",
    agent: "",
    requestId: "",
  },
  timeoutMs: undefined,
  ...{ permissionMode: PermissionMode.ASK, attachments: [], recall: false },
};

/** While this is on record the database takes no event and no conversation: as a full disk, to the store and to SQLite. */
const FULL = { processId: "the disk is full", sessionKey: "", workspace: "" };

async function openStore(path: string): Promise<Store> {
  await (await openSqliteStore(path)).close();
  using database = new DatabaseSync(path);
  for (const table of ["events", "conversations"]) {
    database.exec(`CREATE TRIGGER full_${table} BEFORE INSERT ON ${table}
      WHEN EXISTS (SELECT 1 FROM processes WHERE process_id = '${FULL.processId}')
      BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  }
  database.close();
  return openSqliteStore(path);
}

/** What turns are run within, with limits that no turn reaches unless told otherwise. */
export function optionsOf(
  { limits, ...settings }: Settings,
  store: Store,
  agent: DrivenAgent,
  sessionsDir: string,
): TurnsOptions {
  return {
    ...{ store, agents: drivenAgents(agent), log: createLog(() => {}), sessionsDir },
    limits: { ...LIMITS, ...limits },
    dayLimits: { costUsd: 0, modelTurns: 0 },
    quotas: { sessions: 0, attachmentBytes: 0 },
    ...{ maxPrincipalWorkspaceBytes: 0, maxWorkspaceBytes: 0 },
    ...{ maxPrincipalTurns: 0, maxConcurrentTurns: 100, maxSessionTurns: 100, retentionMs: 0 },
    ...{ maxSubscriptions: 100, maxTurnSubscriptions: 100, maxPrincipalSubscriptions: 100 },
    audit: new TurnAudit("hashes"),
    permissionMode: "bypass",
    ...{ approvers: [], selfApproval: "allowed", ...settings },
  };
}

/** Lets everything happen that needs no clock. */
export async function pass(): Promise<void> {
  for (let round = 0; round < 10; round++) await nextTurn();
}

/** What an agent says, of so many bytes. */
export function text(bytes = 10): EventKind {
  return { case: "text", value: create(TextEventSchema, { text: "x".repeat(bytes) }) };
}

/** The agent's own end. */
export function result(): EventKind {
  return { case: "result", value: create(ResultEventSchema, { result: "done" }) };
}

/** The agent says which conversation it holds. */
export function session(agentSessionId: string): EventKind {
  return { case: "session", value: create(SessionEventSchema, { agentSessionId }) };
}

/** A tool call that waits for an answer. */
export function request(approvalId: string): EventKind {
  const value = create(ApprovalRequestEventSchema, { approvalId, name: "Bash", inputJson: "{}" });
  return { case: "approvalRequest", value };
}
