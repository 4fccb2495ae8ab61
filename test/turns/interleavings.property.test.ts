import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { EncodedEvent } from "../../src/turns/encoded-event.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { Turns } from "../../src/turns/turns.ts";
import { anySteps, readingSteps } from "../support/arbitrary-steps.ts";
import { DrivenAgent, drivenAgents } from "./driven-agent.ts";
import { HeldStore } from "./held-store.ts";
import { TurnUnderTest, type Workings } from "./turn-under-test.ts";

/** A directory with a store in it, and the turns of one server after the other on it. */
class Place implements AsyncDisposable {
  readonly #root: string;
  #store: Store | undefined;

  private constructor(root: string) {
    this.#root = root;
  }

  static async make(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), "breakglass-turns-")));
  }

  /** Opens the store, and takes over what is there. */
  async open(): Promise<Workings> {
    this.#store = await openSqliteStore(this.#path);
    const store = new HeldStore(this.#store);
    const agent = new DrivenAgent();
    const turns = new Turns({
      store: store.asStore,
      agents: drivenAgents(agent),
      log: createLog(() => {}),
      audit: new TurnAudit("hashes"),
      limits: {
        timeoutMs: 600_000,
        idleTimeoutMs: 600_000,
        maxEventBytes: 3 * 1024 * 1024,
        maxTurnBytes: 2 ** 40,
        approvalMs: 600_000,
        silenceMs: 600_000,
        maxCostUsd: 0,
        maxModelTurns: 0,
      },
      dayLimits: { costUsd: 0, modelTurns: 0 },
      quotas: { sessions: 0, attachmentBytes: 0 },
      maxPrincipalWorkspaceBytes: 0,
      maxWorkspaceBytes: 0,
      maxConcurrentTurns: 10_000,
      maxPrincipalTurns: 0,
      maxSessionTurns: 10_000,
      retentionMs: 0,
      maxSubscriptions: 10_000,
      maxTurnSubscriptions: 10_000,
      maxPrincipalSubscriptions: 10_000,
      sessionsDir: join(this.#root, "sessions"),
      permissionMode: "bypass",
      approvers: [],
      selfApproval: "allowed",
    });
    await turns.recover();
    return { turns, agent, store };
  }

  /** Closes the store, whatever is under way: nothing more is kept. */
  async close(): Promise<void> {
    await this.#store?.close();
  }

  /** The events of turns as they are in the database, which nothing of the service's has open. */
  look(turnIds: Iterable<string>): Map<string, Uint8Array[]> {
    using database = new DatabaseSync(this.#path, { readOnly: true });
    const sql = `SELECT event FROM events JOIN turns USING (turn_key) WHERE turn_id = ? ORDER BY sequence`;
    const events = database.prepare(sql);
    return new Map(
      Array.from(turnIds, (id) => [id, events.all(id).map((row) => row.event as Uint8Array)]),
    );
  }

  get #path(): string {
    return join(this.#root, "breakglass.db");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** What failed is told of as it is: to make it smaller takes longer than a test may. */
const AT_ONCE = { endOnFailure: true, timeout: 20_000 };

const timeout = fc.oneof(
  { weight: 5, arbitrary: fc.constant(undefined) },
  fc.integer({ min: 1, max: 30 }),
);

describe("every reader of a turn sees its log from where it asked to its one end, once, in order", () => {
  it.each([
    ["one turn alone", 0, 50],
    ["a turn among a thousand, whose memory they share", 1000, 50],
  ])(
    "whatever is said, read, cut, resumed and ended, and in whichever order: %s",
    async (_, idle, numRuns) => {
      await using place = await Place.make();
      const workings = await place.open();
      await Promise.all(Array.from({ length: idle }, () => TurnUnderTest.start(workings)));
      const logs = new Map<string, readonly EncodedEvent[]>();
      const property = fc.asyncProperty(anySteps(), timeout, async (steps, timeoutMs) => {
        const turn = await TurnUnderTest.start(workings, timeoutMs);
        for (const step of steps) await turn.perform(step);
        const log = await turn.finish();
        expect(turn.faults).toEqual([]);
        expect(workings.turns.subscriptions).toBe(0);
        logs.set(turn.record.turnId, log);
      });
      await fc.assert(property, { numRuns, ...AT_ONCE });
      await place.close();
      const kept = place.look(logs.keys());
      for (const [turnId, log] of logs)
        expect(Buffer.compare(...bothOf(kept.get(turnId)!, log))).toBe(0);
    },
  );

  it("and the text that is being written, as far as it may see it and none that is void", async () => {
    await using place = await Place.make();
    const workings = await place.open();
    let shown = 0;
    const property = fc.asyncProperty(readingSteps(), async (steps) => {
      const turn = await TurnUnderTest.start(workings);
      for (const step of steps) await turn.perform(step);
      await turn.settle();
      shown += turn.readers.filter((reader) => reader.shown?.text).length;
      await turn.finish();
      expect(turn.faults).toEqual([]);
    });
    await fc.assert(property, { numRuns: 150, ...AT_ONCE });
    expect(shown).toBeGreaterThan(100);
  });

  it("also where the store goes away under the turn and the next server takes over", async () => {
    await using place = await Place.make();
    let workings = await place.open();
    const property = fc.asyncProperty(anySteps(), anySteps(), async (before, after) => {
      const turn = await TurnUnderTest.start(workings);
      for (const step of before) await turn.perform(step);
      await place.close();
      await workings.store.settle();
      workings = await place.open();
      turn.takenOverBy(workings);
      for (const step of after) await turn.perform(step);
      await turn.finish();
      expect(turn.faults).toEqual([]);
      expect(workings.turns.subscriptions).toBe(0);
    });
    await fc.assert(property, { numRuns: 8, ...AT_ONCE });
  });
});

function bothOf(one: readonly Uint8Array[], other: readonly Uint8Array[]): [Buffer, Buffer] {
  return [Buffer.concat(one), Buffer.concat(other)];
}
