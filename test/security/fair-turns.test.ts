import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { type RefusalSeen, refusalOf } from "../support/refusals.ts";
import { startForTwo } from "./two-principals.ts";

describe("a principal who floods the server with turns", () => {
  it("does not keep the next place from another, who comes back when told", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_CONCURRENT_TURNS: "2" });
    const gates = [createGate(two.server.root), createGate(two.server.root)];
    const held = gates.map(({ step }) => collect(two.greedy.runTurn({ prompt: script(step) })));
    await eventually(two.server.processes, ({ length }) => length === 2);
    const leaving = new AbortController();
    const got: string[] = [];
    const flood = async () => {
      const { signal } = leaving;
      while (!signal.aborted) {
        const prompt = script(createGate(two.server.root).step);
        try {
          for await (const { event } of two.greedy.runTurn({ prompt }, { signal })) {
            if (event?.kind.case === "checkpoint") got.push("greedy");
            break;
          }
        } catch {}
      }
    };
    const floods = Array.from({ length: 20 }, flood);
    const refused: RefusalSeen[] = [];
    const honest = async () => {
      for (;;) {
        const refusal = await refusalOf(two.honest.runTurn({ prompt: "say there" })).catch(
          () => undefined,
        );
        if (refusal === undefined) return got.push("honest");
        refused.push(refusal);
        if (refused.length === 1) gates[0]!.open();
        await delay(refusal.retryMs);
      }
    };
    await honest();
    expect(got[0]).toBe("honest");
    expect(refused.length).toBeLessThan(4);
    for (const refusal of refused) {
      expect(refusal).toMatchObject({ code: "ResourceExhausted", reason: "TOO_MANY_TURNS" });
      expect(refusal.retryMs).toBeGreaterThanOrEqual(1000);
      expect(refusal.retryMs).toBeLessThanOrEqual(10_000);
    }
    leaving.abort();
    await Promise.all(floods);
    gates[1]!.open();
    expect((await Promise.all(held)).map((events) => valuesOf(events, "result").length)).toEqual([
      1, 1,
    ]);
  });

  it("has no more than its own limit, and another finds a place at once", async () => {
    await using two = await startForTwo({
      BREAKGLASS_MAX_CONCURRENT_TURNS: "4",
      BREAKGLASS_MAX_PRINCIPAL_TURNS: "2",
    });
    const gate = createGate(two.server.root);
    const turns = Array.from({ length: 20 }, () =>
      collect(two.greedy.runTurn({ prompt: script(gate.step) })).catch(() => "refused"),
    );
    await eventually(two.server.processes, ({ length }) => length === 2);
    const events = await collect(two.honest.runTurn({ prompt: "say there" }));
    expect(valuesOf(events, "result")).toHaveLength(1);
    gate.open();
    const ended = await Promise.all(turns);
    expect(ended.filter((one) => one === "refused")).toHaveLength(18);
  });
});
