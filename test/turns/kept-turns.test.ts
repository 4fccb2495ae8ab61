import { expect, it } from "vitest";
import type { MovedSession, SessionMoves } from "../../src/turns/session-moves.ts";
import { eventually } from "../support/processes.ts";
import { request, result, session, startDrivenTurns } from "./driven-turns.ts";

/** Notes what is to be kept, and is done with it only when a test says so. */
class MovesUnderTest implements SessionMoves {
  readonly kept: MovedSession[] = [];
  readonly drained: number[] = [];

  async bring() {
    return { remembers: false };
  }

  keep(session: MovedSession): void {
    this.kept.push(session);
  }

  async drain(ms: number): Promise<void> {
    this.drained.push(ms);
  }
}

it("a conversation is kept when its turn waits, and when it has ended, as the agent calls it by then", async () => {
  const moves = new MovesUnderTest();
  await using driven = await startDrivenTurns({ moves });
  const { turnId, run } = await driven.begin();
  const first = run.agentSessionId;
  expect(moves.kept).toEqual([]);
  run.give([request("a")]);
  await eventually(
    () => moves.kept,
    ({ length }) => length === 1,
    30_000,
  );
  run.agentSessionId = "another";
  run.give([session("another")]);
  run.give([result()]);
  run.leave();
  const { sessionKey, sessionId } = await driven.ended(turnId);
  await eventually(
    () => moves.kept,
    ({ length }) => length === 2,
    30_000,
  );
  const { workspace } = run.turn!;
  const place = { sessionId, sessionKey, agentKind: "driven", workspace };
  expect(moves.kept).toEqual([
    { ...place, conversationId: first },
    { ...place, conversationId: "another" },
  ]);
  expect(moves.drained).toEqual([]);
  await driven.turns.drain(0);
  expect(moves.drained).toHaveLength(1);
});
