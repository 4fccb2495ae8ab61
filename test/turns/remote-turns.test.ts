import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { RemoteTurns } from "../../src/turns/remote-turn.ts";
import { owned } from "../support/owned-store.ts";
import { eventually } from "../support/processes.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

/** A turn on record that nobody runs here, and what a store has of those. */
async function begin() {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-remote-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const opened = await openSqliteStore(join(folder, "breakglass.db"));
  cleanup.defer(() => opened.close());
  const store = owned(opened);
  const { turn } = await store.createTurn(turnStart());
  const { turnId, principal, sessionId } = turn;
  const batch = (firstSequence: number) => {
    return { turnId, firstSequence, events: [new Uint8Array(1)], time: 1 };
  };
  const owning = cleanup.move();
  return {
    turn,
    remote: new RemoteTurns(opened),
    append: (sequence: number) => store.append(batch(sequence)),
    end: (sequence: number) => store.append({ ...batch(sequence), end: SUCCEEDED }),
    read: () => store.getTurn(turnId, principal),
    remove: () => store.deleteNamed(sessionId, principal, 9),
    [Symbol.asyncDispose]: () => owning.disposeAsync(),
  };
}

const heedless = () => true;

describe("a turn that runs elsewhere", () => {
  it("does not go back to what was read before", async () => {
    await using begun = await begin();
    const { remote, turn: before } = begun;
    await begun.append(1);
    const { log } = remote.of(await begun.read())!;
    const stop = log.listen(heedless);
    remote.of(before);
    remote.of({ ...before, state: TurnState.QUEUED, lastSequence: 1 });
    expect([log.state, log.lastSequence]).toEqual([TurnState.RUNNING, 1]);
    await begun.end(2);
    await eventually(
      () => log.state,
      (state) => state === TurnState.SUCCEEDED,
    );
    remote.of(before);
    expect([log.state, log.lastSequence]).toEqual([TurnState.SUCCEEDED, 2]);
    stop();
    expect(remote.of(await begun.read())).toBeUndefined();
  });

  it("is known as it is once it is listened to, whatever came before", async () => {
    await using begun = await begin();
    const { log } = begun.remote.of(begun.turn)!;
    await begun.append(1);
    const told = Promise.withResolvers<void>();
    log.listen(() => {
      if (log.lastSequence === 1) told.resolve();
      return true;
    });
    await told.promise;
  });

  it("is the same for all who listen, and is not held once nobody does", async () => {
    await using begun = await begin();
    const { remote, turn } = begun;
    const first = remote.of(turn)!;
    expect(remote.of(turn)).not.toBe(first);
    const stops = [first, first].map(({ log }) => log.listen(() => true));
    expect(remote.of(turn)).toBe(first);
    for (const stop of [stops[0]!, stops[0]!]) stop();
    expect(remote.of(turn)).toBe(first);
    stops[1]!();
    expect(remote.of(turn)).not.toBe(first);
  });

  it("says so where it can no longer be read, and is asked for anew", async () => {
    await using begun = await begin();
    const { remote, turn } = begun;
    const removed = remote.of(turn)!;
    await begun.end(1);
    await begun.remove();
    const failed = Promise.withResolvers<void>();
    removed.log.listen(() => {
      if (removed.log.failure !== undefined) failed.resolve();
      return true;
    });
    await failed.promise;
    expect(removed.log.failure).toMatchObject({ reason: "NOT_FOUND" });
    expect(remote.of(turn)).not.toBe(removed);
  });
});
