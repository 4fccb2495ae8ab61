import { randomUUID } from "node:crypto";
import { setImmediate as nextLoop } from "node:timers/promises";
import { expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import type { MovedSession } from "../../src/turns/session-moves.ts";
import { TranscriptKeeper } from "../../src/turns/transcript-keeper.ts";
import { eventually } from "../support/processes.ts";

/** A keeper whose work is done when a test says so. */
class KeeperUnderTest {
  readonly log: string[] = [];
  readonly begun: MovedSession[] = [];
  readonly keeper = new TranscriptKeeper(
    (session) => this.#keep(session),
    createLog((line) => void this.log.push(String(JSON.parse(line).message))),
  );
  readonly #open: { readonly session: MovedSession; readonly end: PromiseWithResolvers<void> }[] =
    [];

  /** What is being kept now. */
  get open(): string[] {
    return this.#open.map(({ session }) => session.sessionKey);
  }

  /** Ends the longest of what is being kept. */
  async end(error?: Error): Promise<void> {
    const { end } = this.#open.shift()!;
    if (error === undefined) end.resolve();
    else end.reject(error);
    await nextLoop();
  }

  async #keep(session: MovedSession): Promise<void> {
    this.begun.push(session);
    const end = Promise.withResolvers<void>();
    this.#open.push({ session, end });
    await end.promise;
  }
}

function sessionOf(sessionKey: string, conversationId: string = randomUUID()): MovedSession {
  return { sessionId: "s", sessionKey, agentKind: "driven", conversationId, workspace: "/w" };
}

it("a session is kept by one at a time, and once more for all that was asked meanwhile", async () => {
  const under = new KeeperUnderTest();
  const { keeper } = under;
  keeper.keep(sessionOf("a", "first"));
  await nextLoop();
  for (const id of ["second", "third", "last"]) keeper.keep(sessionOf("a", id));
  await nextLoop();
  expect(under.begun.map((it) => it.conversationId)).toEqual(["first"]);
  await under.end();
  expect(under.begun.map((it) => it.conversationId)).toEqual(["first", "last"]);
  expect(keeper.size).toBe(1);
  await under.end();
  expect([keeper.size, under.begun.length]).toEqual([0, 2]);
});

it("two sessions are kept at a time, the others wait for their turn", async () => {
  const under = new KeeperUnderTest();
  for (const key of ["a", "b", "c", "d"]) under.keeper.keep(sessionOf(key));
  await nextLoop();
  expect(under.open).toEqual(["a", "b"]);
  await under.end();
  expect(under.open).toEqual(["b", "c"]);
  const settled = under.keeper.settled(1);
  await under.end();
  await under.end();
  await settled;
  expect(under.open).toEqual(["d"]);
  await under.end();
});

it("what cannot be read is tried three times and given up, and what was asked meanwhile is done", async () => {
  const under = new KeeperUnderTest();
  const { keeper } = under;
  keeper.keep(sessionOf("a"));
  for (const tries of [1, 2, 3]) {
    await eventually(
      () => under.begun.length,
      (count) => count === tries,
    );
    if (tries === 3) keeper.keep(sessionOf("a", "late"));
    await under.end(new Error("it cannot be read"));
  }
  expect(under.log).toEqual(["the newest of a conversation is not kept"]);
  expect(under.begun.map((it) => it.conversationId).at(-1)).toBe("late");
  await under.end();
  expect([keeper.size, under.begun.length]).toEqual([0, 4]);
});

it("nothing begins once it has ended, and what was left is told of", async () => {
  const under = new KeeperUnderTest();
  under.keeper.keep(sessionOf("a"));
  under.keeper.keep(sessionOf("a"));
  await under.keeper.drain(1);
  under.keeper.keep(sessionOf("b"));
  await under.end();
  expect(under.begun).toHaveLength(1);
  expect(under.log).toEqual([
    "the newest of some conversations is not kept",
    "the newest of a conversation is not kept",
  ]);
});
