import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import { Silence } from "../../src/turns/silence.ts";
import { eventually } from "../support/processes.ts";
import { startDrivenTurns } from "./driven-turns.ts";

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
    await using driven = await startDrivenTurns({ limits: { silenceMs: 20 } });
    const [waits, works] = [await driven.begin(), await driven.begin()];
    waits.run.waitsForModel = true;
    const log = await eventually(
      () => driven.readLog(waits.turnId),
      ({ length }) => length >= 2,
    );
    expect(log.slice(0, 2).map(({ kind }) => kind)).toMatchObject([
      { case: "notice", value: { reason: NoticeReason.AGENT_SILENT } },
      { case: "notice", value: { reason: NoticeReason.AGENT_SILENT } },
    ]);
    expect(await driven.readLog(works.turnId)).toEqual([]);
  });
});
