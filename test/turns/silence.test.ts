import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { createLog } from "../../src/log.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { Silence } from "../../src/turns/silence.ts";
import { Turns } from "../../src/turns/turns.ts";
import { eventually } from "../support/processes.ts";
import { DrivenAgent } from "./driven-agent.ts";

const PRINCIPAL = "operator";
const HOUR = 3_600_000;

/** Turns whose agent does what a test says, and whose readers are told of a silence after 20 ms. */
async function startTurns() {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-silence-"));
  cleanup.defer(() => rm(root, { recursive: true }));
  const store = await openSqliteStore(join(root, "breakglass.db"));
  cleanup.defer(() => store.close());
  const agent = new DrivenAgent();
  const turns = new Turns({
    ...{ store, agent, log: createLog(() => {}) },
    limits: {
      ...{ timeoutMs: HOUR, idleTimeoutMs: HOUR, approvalMs: HOUR, silenceMs: 20 },
      ...{ maxEventBytes: 1_000_000, maxTurnBytes: 2 ** 30 },
    },
    ...{ maxConcurrentTurns: 10, maxSessionTurns: 10, retentionMs: 0 },
    ...{ maxSubscriptions: 10, maxTurnSubscriptions: 10, sessionsDir: join(root, "sessions") },
    ...{ defaults: { agent: "a", model: "m" }, permissionMode: "bypass" },
    ...{ approvers: [], selfApproval: "allowed" },
  });
  cleanup.defer(() => turns.drain(0));
  const owned = cleanup.move();
  return { turns, agent, store, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const REQUEST = {
  ...{ sessionId: "", prompt: "x", model: "", agent: "", requestId: "", timeoutMs: undefined },
  ...{ permissionMode: PermissionMode.UNSPECIFIED, attachments: [] },
};

describe("a silence", () => {
  it("is told of once it has lasted, and again each time that it has lasted twice as long", async () => {
    const told: number[] = [];
    const silence = new Silence(10, (lastedMs) => told.push(lastedMs));
    silence.heard();
    await eventually(
      () => told.length,
      (length) => length >= 3,
    );
    expect(told.slice(0, 3)).toEqual([10, 20, 40]);
    told.length = 0;
    silence.heard();
    await eventually(
      () => told.length,
      (length) => length >= 1,
    );
    expect(told[0]).toBe(10);
    silence.stop();
  });

  it("is a notice where the agent waits for its model, and only there", async () => {
    await using started = await startTurns();
    const { turns, agent, store } = started;
    const [waits, works] = [agent.runOf("waits"), agent.runOf("works")];
    waits.waitsForModel = true;
    const first = await turns.run({ ...REQUEST, prompt: "waits" }, PRINCIPAL);
    const second = await turns.run({ ...REQUEST, prompt: "works" }, PRINCIPAL);
    const told = async () =>
      (await store.readEvents(first.turnId, 0, 1_000_000)).map((event) => decodeEvent(event).kind);
    const kinds = await eventually(told, ({ length }) => length >= 2);
    expect(kinds.slice(0, 2)).toMatchObject([
      { case: "notice", value: { reason: NoticeReason.AGENT_SILENT } },
      { case: "notice", value: { reason: NoticeReason.AGENT_SILENT } },
    ]);
    expect(await store.readEvents(second.turnId, 0, 1_000_000)).toEqual([]);
    for (const run of [waits, works]) run.leave();
  });
});
