import { randomUUID } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed } from "../support/caller.ts";
import { cases } from "../support/events.ts";
import { PRINCIPAL, result, startDrivenTurns } from "./driven-turns.ts";

describe("SteerTurn", () => {
  it("is refused where its event cannot be recorded", async () => {
    await using driven = await startDrivenTurns();
    const { turnId } = await driven.begin();
    await driven.fillDisk();
    const steer = { turnId, message: "look there", requestId: randomUUID() };
    const refusal = { reason: "STORAGE" };
    await expect(driven.turns.steer(steer, callerNamed(PRINCIPAL))).rejects.toMatchObject(refusal);
    await driven.clearDisk();
    await driven.ended(turnId);
    expect(cases(await driven.readLog(turnId))).toEqual(["error"]);
  });

  it("answers with the sequence of an event that is on disk", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    for (const [index, message] of ["one", "two"].entries()) {
      const steer = { turnId, message, requestId: "" };
      const { sequence, turn } = await driven.turns.steer(steer, callerNamed(PRINCIPAL));
      expect(sequence).toBe(index + 1);
      expect(turn.lastSequence).toBe(sequence);
    }
    expect(run.steered).toEqual(["one", "two"]);
  });

  it("tells one message once, however often and when it is asked for", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const steer = { turnId, message: "look there", requestId: randomUUID() };
    const ask = () => driven.turns.steer(steer, callerNamed(PRINCIPAL));
    // At the same moment: neither is on record yet.
    const both = await Promise.all([ask(), ask()]);
    expect(both.map(({ sequence }) => sequence)).toEqual([1, 1]);
    expect(run.steered).toEqual(["look there"]);
    run.give([result()]);
    run.leave();
    await driven.ended(turnId);
    expect((await ask()).sequence).toBe(1);
    const unknown = driven.turns.steer(
      { ...steer, requestId: randomUUID() },
      callerNamed(PRINCIPAL),
    );
    await expect(unknown).rejects.toMatchObject({ reason: "TURN_ENDED" });
  });

  it("tells each message that comes without an id", async () => {
    await using driven = await startDrivenTurns();
    const { turnId, run } = await driven.begin();
    const steer = { turnId, message: "again", requestId: "" };
    await Promise.all([steer, steer].map((one) => driven.turns.steer(one, callerNamed(PRINCIPAL))));
    expect(run.steered).toEqual(["again", "again"]);
  });

  it("counts towards the limit of the turn's log", async () => {
    await using driven = await startDrivenTurns({ limits: { maxTurnBytes: 10_000 } });
    const { turnId } = await driven.begin();
    const steer = { turnId, message: "x".repeat(4000), requestId: "" };
    for (let n = 1; n <= 3; n++) await driven.turns.steer(steer, callerNamed(PRINCIPAL));
    const refused = driven.turns.steer(steer, callerNamed(PRINCIPAL));
    await expect(refused).rejects.toMatchObject({ reason: "TURN_ENDED" });
    expect(await driven.ended(turnId)).toMatchObject({ errorReason: ErrorReason.OUTPUT_LIMIT });
  });

  it("goes to the agent whole and on record as an event that fits, which says so", async () => {
    const maxEventBytes = 10_000;
    await using driven = await startDrivenTurns({ limits: { maxEventBytes } });
    const { turnId, run } = await driven.begin();
    const message = "x".repeat(50_000);
    const { sequence } = await driven.turns.steer(
      { turnId, message, requestId: "" },
      callerNamed(PRINCIPAL),
    );
    expect(run.steered).toEqual([message]);
    const event = (await driven.readLog(turnId)).find((one) => Number(one.sequence) === sequence)!;
    expect(toBinary(TurnEventSchema, event).length).toBeLessThanOrEqual(maxEventBytes);
    expect(event.kind).toMatchObject({ value: { truncated: true, totalBytes: 50_000n } });
  });
});
