import { describe, expect, it } from "vitest";
import { ApprovalDecision, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ownView } from "../../src/store/views.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import type { Turns } from "../../src/turns/turns.ts";
import { callerNamed, nameOf } from "../support/caller.ts";
import { cases, valuesOf } from "../support/events.ts";
import { PRINCIPAL, request, result, startDrivenTurns, text } from "./driven-turns.ts";
import { pullSubscription, type StreamPiece } from "./pulled-subscription.ts";

const FOREVER = new AbortController().signal;

describe("a reader of a turn that runs on another server", () => {
  it("is told of it to its end, and not that it has ended before", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const reader = read(driven.another(), turnId);
    expect(await untilCaughtUp(reader)).toEqual([]);
    run.give([text(), text()]);
    expect(await pieceOf(reader)).toMatchObject({ sequence: 1, kind: { case: "text" } });
    expect(await pieceOf(reader)).toMatchObject({ sequence: 2, kind: { case: "text" } });
    run.give([request("a")]);
    expect(await pieceOf(reader)).toMatchObject({ kind: { case: "approvalRequest" } });
    run.give([result()]);
    run.leave();
    expect(await pieceOf(reader)).toMatchObject({ kind: { case: "approvalResolution" } });
    expect(await pieceOf(reader)).toMatchObject({ sequence: 5, kind: { case: "result" } });
    expect((await reader.next()).done).toBe(true);
  });

  it("is told of all of it beside others, from where each asks", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    run.give([text(), text()]);
    const other = driven.another();
    await driven.turns.steer({ turnId, message: "on", requestId: "" }, callerNamed(PRINCIPAL));
    const reading = [0, 1, 3, 0].map((after) => sequences(read(other, turnId, after)));
    run.give([text(), result()]);
    run.leave();
    expect(await Promise.all(reading)).toEqual([
      [1, 2, 3, 4, 5],
      [2, 3, 4, 5],
      [4, 5],
      [1, 2, 3, 4, 5],
    ]);
    expect(await sequences(read(other, turnId, 4))).toEqual([5]);
  });

  it("is refused what is past the turn's last event", async () => {
    await using driven = await startDrivenTurns();
    const { turnId } = await driven.begin();
    await driven.turns.steer({ turnId, message: "on", requestId: "" }, callerNamed(PRINCIPAL));
    const reader = read(driven.another(), turnId, 2);
    await expect(reader.next()).rejects.toMatchObject({
      reason: "OUT_OF_RANGE",
      details: { metadata: { last_sequence: "1" } },
    });
  });
});

describe("a watcher of a session whose turns run on another server", () => {
  it("is told of each change", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const { sessionId } = await driven.turns.getTurn(turnId, callerNamed(PRINCIPAL));
    const news = driven
      .another()
      .watch(nameOf(PRINCIPAL, sessionId), 0, callerNamed(PRINCIPAL), FOREVER);
    expect((await news.next()).value).toMatchObject({
      change: { kind: "started" },
      caughtUp: true,
    });
    run.give([result()]);
    run.leave();
    expect((await news.next()).value).toMatchObject({ change: { kind: "ended" } });
    await news.return(undefined);
  });
});

describe("what is asked of a turn that runs on another server", () => {
  it("cancels it", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const turn = await driven.another().cancel(turnId, callerNamed(PRINCIPAL));
    expect(turn.state).toBe(TurnState.CANCELED);
    expect(run.isOver).toBe(true);
  });

  it("interrupts it", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const interrupted = driven.another().interrupt(turnId, callerNamed(PRINCIPAL));
    while (run.interrupts === 0) await driven.store.getTurn(turnId, ownView(PRINCIPAL));
    run.give([result()]);
    run.leave();
    expect((await interrupted).state).toBe(TurnState.SUCCEEDED);
  });

  it("steers it, once for each request", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const steer = { turnId, message: "look there", requestId: "0192" };
    const servers = [driven.another(), driven.another(), driven.turns];
    const steered = await Promise.all(
      servers.map((turns) => turns.steer(steer, callerNamed(PRINCIPAL))),
    );
    expect(steered.map(({ sequence }) => sequence)).toEqual([1, 1, 1]);
    expect(run.steered).toEqual(["look there"]);
    const other = { ...steer, message: "look here" };
    await expect(servers[0]!.steer(other, callerNamed(PRINCIPAL))).rejects.toMatchObject({
      reason: "REQUEST_ID_REUSED",
    });
  });

  it("answers its approvals, once, in the name of who answered", async () => {
    await using driven = await startDrivenTurns({ approvers: ["bob"] });
    const { turnId, run } = await driven.begin();
    const other = driven.another();
    const reader = read(other, turnId);
    run.give([request("a")]);
    while ((await pieceOf(reader)).kind.case !== "approvalRequest");
    const resolution = { turnId, approvalId: "a", answer: { allow: true } } as const;
    await other.resolveApproval(resolution, callerNamed("bob"));
    expect(run.answers).toEqual([["a", { allow: true }]]);
    const log = await driven.readLog(turnId);
    expect(valuesOf(log, "approvalResolution")).toMatchObject([
      { principal: "bob", decision: ApprovalDecision.ALLOWED },
    ]);
    for (const [approvalId, reason] of [
      ["a", "APPROVAL_RESOLVED"],
      ["b", "APPROVAL_NOT_FOUND"],
    ] as const) {
      const again = other.resolveApproval({ ...resolution, approvalId }, callerNamed("bob"));
      await expect(again).rejects.toMatchObject({ reason });
    }
    await reader.return(undefined);
  });

  it("is not found by who may not see it", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const canceled = driven.another().cancel(turnId, callerNamed("bob"));
    await expect(canceled).rejects.toMatchObject({ reason: "NOT_FOUND" });
    expect(run.isOver).toBe(false);
  });
});

function read(turns: Turns, turnId: string, afterSequence = 0) {
  const from = { afterSequence, textDeltas: true };
  return pullSubscription(() => turns.subscribe(turnId, from, callerNamed(PRINCIPAL), FOREVER));
}

type Reader = ReturnType<typeof read>;

/** The next event, durable or not, that is no checkpoint. */
async function pieceOf(reader: Reader) {
  for (;;) {
    const { value, done } = await reader.next();
    if (done) throw new Error("it has ended");
    const event = eventOf(value);
    if (event.kind.case !== "checkpoint") return event;
  }
}

function eventOf(piece: StreamPiece) {
  return "transient" in piece ? piece.transient : decodeEvent(piece.encoded[0]!);
}

/** What comes before the checkpoint of who has all there is. */
async function untilCaughtUp(reader: Reader) {
  const before = [];
  for (;;) {
    const { value, done } = await reader.next();
    if (done) throw new Error("it has ended");
    const { kind } = eventOf(value);
    if (kind.case === "checkpoint" && kind.value.caughtUp) return cases(before);
    if (kind.case !== "checkpoint") before.push(eventOf(value));
  }
}

async function sequences(reader: Reader): Promise<number[]> {
  const found: number[] = [];
  for await (const piece of reader) if ("encoded" in piece) found.push(eventOf(piece).sequence);
  return found;
}
