import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { PRINCIPAL, pass, REQUEST, request, result, text } from "./driven-turns.ts";
import { pullSubscription } from "./pulled-subscription.ts";
import { type DrivenServer, startTwoServers, TERMS, type TwoServers } from "./two-servers.ts";

const FENCED = { reason: "FENCED" };

describe("a server that renews its lease", () => {
  it("keeps it, however much time passes", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId, run } = await one.begin();
    for (let times = 0; times < 5; times++) {
      servers.passLeases(TERMS.leaseMs * 0.9);
      await renewed(one);
      await renewed(other);
    }
    run.give([text(), result()]);
    run.leave();
    await ended(one, turnId);
    expect(cases(await servers.readLog(turnId))).toEqual(["text", "result"]);
  });

  it("does so until all is over, and not beyond", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId, run } = await one.begin();
    const held = Promise.withResolvers<void>();
    run.lastProcess = held.promise;
    const drained = one.turns.drain(0);
    for (let times = 0; times < 3; times++) {
      servers.passLeases(TERMS.leaseMs * 0.9);
      await renewed(one);
      await renewed(other);
    }
    expect((await one.turns.getTurn(turnId, callerNamed(PRINCIPAL))).state).toBe(TurnState.RUNNING);
    held.resolve();
    await drained;
    const turn = await other.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    expect(turn.errorReason).toBe(ErrorReason.SERVER_SHUTDOWN);
    servers.passLeases(TERMS.leaseMs + 1);
    expect(await other.store.fence("one", other.store.lease.epoch)).toBe(true);
  });
});

describe("a server whose lease ran out while it was away", () => {
  it("has its turns ended LOST by another, and their readers there read that", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId, run } = await one.begin();
    run.give([text()]);
    await logged(servers, turnId, 1);
    const reading = readToEnd(other, turnId);
    await expire(servers, one, other);
    await reading;
    const turn = await other.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    expect(turn).toMatchObject({
      state: TurnState.LOST,
      errorReason: ErrorReason.SERVER_RESTARTED,
      lastSequence: 2,
    });
    expect(await other.turns.cancel(turnId, callerNamed(PRINCIPAL))).toEqual(turn);
  });

  it("stops its agents when it is back, also one that is silent, and puts nothing on record", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const [talks, silent, asks] = [await one.begin(), await one.begin(), await one.begin()];
    asks.run.give([request("a")]);
    await logged(servers, asks.turnId, 1);
    one.cut();
    talks.run.give([text()]);
    const resolution = { turnId: asks.turnId, approvalId: "a", answer: { allow: true } } as const;
    const answered = one.turns.resolveApproval(resolution, callerNamed(PRINCIPAL));
    await expire(servers, one, other);
    one.mend();
    const refused = { reason: expect.stringMatching(/^(FENCED|TURN_ENDED)$/) };
    await expect(answered).rejects.toMatchObject(refused);
    for (const { run } of [talks, silent, asks]) {
      await eventually(
        () => run.isOver,
        (isOver) => isOver,
      );
    }
    expect(asks.run.answers).toEqual([]);
    await one.turns.drain(0);
    for (const { turnId } of [talks, silent, asks]) {
      await ended(other, turnId);
      const log = await servers.readLog(turnId);
      expect(valuesOf(log, "error")).toMatchObject([{ reason: ErrorReason.SERVER_RESTARTED }]);
      expect(log.length).toBe(turnId === asks.turnId ? 2 : 1);
    }
  });

  it("tells its readers to come back, and begins nothing", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId } = await one.begin();
    const reading = readToEnd(one, turnId);
    await Promise.all([
      expect(reading).rejects.toMatchObject(FENCED),
      expire(servers, one, other).then(() => one.mend()),
    ]);
    await expect(one.begin()).rejects.toMatchObject(FENCED);
    await readToEnd(one, turnId);
  });

  it("goes on with its sessions once it is started again", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const { turnId } = await one.begin();
    const { sessionId } = await other.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    await expire(servers, one, other);
    await ended(other, turnId);
    const asked = { ...REQUEST, sessionId, prompt: "again" };
    one.mend();
    await expect(one.turns.run(asked, callerNamed(PRINCIPAL))).rejects.toMatchObject(FENCED);
    const again = await servers.restart("one");
    const next = await other.turns.run(asked, callerNamed(PRINCIPAL));
    await again.agent.runOf("again").started;
    await again.turns.cancel(next.turnId, callerNamed(PRINCIPAL));
  });

  it("is ended once by all who find it away, and by itself as it starts again", async () => {
    await using servers = await startTwoServers();
    const { one, other } = servers;
    const third = await servers.restart("third");
    const begun = await Promise.all([one.begin(), one.begin(), one.begin()]);
    one.cut();
    servers.passLeases(TERMS.leaseMs + 1);
    const again = await servers.restart("one");
    for (const { turnId } of begun) {
      await Promise.all([again, other, third].map((server) => ended(server, turnId)));
      expect(cases(await servers.readLog(turnId))).toEqual(["error"]);
    }
    await Promise.all([again, other, third].map(({ turns }) => turns.drain(0)));
  });
});

describe("a store that was away for longer than leases hold", () => {
  it("has no server taken for gone that comes back to it a little later than another", async () => {
    const terms = { ...TERMS, leaseMs: 400 };
    await using servers = await startTwoServers({}, terms);
    const { one, other } = servers;
    const { turnId } = await other.begin();
    await passed(terms.leaseMs);
    for (const server of [one, other]) server.cut();
    await passed(terms.leaseMs);
    servers.passLeases(terms.leaseMs + 1);
    one.mend();
    // One looks for those who are away, again and again.
    await passed(100);
    other.mend();
    await renewed(other);
    expect((await one.turns.getTurn(turnId, callerNamed(PRINCIPAL))).state).toBe(TurnState.RUNNING);
    await one.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });
});

describe("a server that cannot renew its lease for its grace", () => {
  it("stops its agents before others may take it for gone, and records that when it can", async () => {
    const terms = { renewMs: 100, graceMs: 500, leaseMs: 1000 };
    await using servers = await startTwoServers({}, terms);
    const { one } = servers;
    const { turnId, run } = await one.begin();
    one.cut();
    await eventually(
      () => run.isOver,
      (isOver) => isOver,
    );
    expect(run.isOver).toBe(true);
    // Whether it still has its lease it knows when that is renewed.
    const refused = one.turns.run({ ...REQUEST, prompt: "too soon" }, callerNamed(PRINCIPAL));
    one.mend();
    await expect(refused).rejects.toMatchObject({ reason: "STORAGE" });
    await renewed(one);
    const turn = await ended(one, turnId);
    expect(turn).toMatchObject({ state: TurnState.FAILED, errorReason: ErrorReason.STORAGE });
    // Not before its lease is renewed.
    const next = await eventually(
      () => one.turns.run({ ...REQUEST, prompt: "p" }, callerNamed(PRINCIPAL)).catch(() => {}),
      (begun) => begun !== undefined,
    );
    await one.turns.cancel(next!.turnId, callerNamed(PRINCIPAL));
  });

  it("does not where it can", async () => {
    const terms = { renewMs: 100, graceMs: 500, leaseMs: 1000 };
    await using servers = await startTwoServers({}, terms);
    const { one } = servers;
    const { turnId, run } = await one.begin();
    const from = performance.now();
    while (performance.now() - from < 2 * terms.graceMs) await renewed(one);
    expect(run.isOver).toBe(false);
    await one.turns.cancel(turnId, callerNamed(PRINCIPAL));
  });
});

/** Cuts a server off, and has another find that its lease ran out, and fence it. */
async function expire({ passLeases }: TwoServers, gone: DrivenServer, finder: DrivenServer) {
  gone.cut();
  await pass();
  passLeases(TERMS.leaseMs + 1);
  await eventually(
    () => finder.store.fence(gone.name, finder.store.lease.epoch),
    (isFenced) => isFenced,
  );
}

/** Resolves when so many milliseconds are over, by the clock that servers have for their own leases. */
async function passed(ms: number): Promise<void> {
  const from = performance.now();
  await eventually(
    () => performance.now() - from,
    (since) => since > ms,
  );
}

/** Has a server renew its lease, as it does itself all the time. */
function renewed({ store }: DrivenServer): Promise<void> {
  return store.renewLease(store.lease.epoch);
}

function ended({ turns }: DrivenServer, turnId: string) {
  return eventually(
    () => turns.getTurn(turnId, callerNamed(PRINCIPAL)),
    ({ endTime }) => endTime !== undefined,
  );
}

function logged({ readLog }: TwoServers, turnId: string, count: number) {
  return eventually(
    () => readLog(turnId),
    ({ length }) => length === count,
  );
}

async function readToEnd({ turns }: DrivenServer, turnId: string): Promise<void> {
  const { signal } = new AbortController();
  const from = { afterSequence: 0, textDeltas: false };
  for await (const _ of pullSubscription(() =>
    turns.subscribe(turnId, from, callerNamed(PRINCIPAL), signal),
  ));
}
