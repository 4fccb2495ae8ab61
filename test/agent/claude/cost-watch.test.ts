import { setImmediate as nextLoop } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CostCount } from "../../../src/agent/claude/cost-count.ts";
import { CostWatch } from "../../../src/agent/claude/cost-watch.ts";
import type { Control } from "../../../src/agent/claude/input-lines.ts";
import { ModelCalls } from "../../../src/agent/claude/model-calls.ts";
import { assistant, INIT, translate } from "./lines.ts";

/** A conversation whose answers a test gives, in the order in which it was asked. */
function conversation(opening: "new" | "resume", costs = new CostCount()) {
  const asked: Control[] = [];
  const answers: ((answer: Record<string, unknown> | undefined) => void)[] = [];
  const watched = {
    ...{ opening, costs },
    control(request: Control) {
      asked.push(request);
      return new Promise<Record<string, unknown> | undefined>((resolve) => answers.push(resolve));
    },
  };
  return {
    asked,
    watched,
    async answer(answer: Record<string, unknown> | undefined) {
      answers.shift()?.(answer);
      await nextLoop();
    },
  };
}

const total = (usd: unknown) => ({ session: { total_cost_usd: usd } });

describe("what a turn has cost while it runs", () => {
  it("is the difference to what the conversation had cost, which a resumed one is asked for first", async () => {
    const it_ = conversation("resume");
    const told: number[] = [];
    const watch: CostWatch = new CostWatch(it_.watched, () => void told.push(watch.costUsd));
    expect(it_.asked).toMatchObject([{ subtype: "get_usage", detached: false }]);
    watch.look();
    await it_.answer(total(4));
    expect(it_.asked).toHaveLength(2);
    await it_.answer(total(4.5));
    expect(told).toEqual([0.5]);
  });

  it("is asked for once at a time, and once more where something happened meanwhile", async () => {
    const it_ = conversation("new");
    const watch = new CostWatch(it_.watched, () => {});
    for (let n = 0; n < 5; n++) watch.look();
    await nextLoop();
    for (let n = 0; n < 5; n++) watch.look();
    expect(it_.asked).toHaveLength(1);
    await it_.answer(total(1));
    expect(it_.asked).toHaveLength(2);
    await it_.answer(total(2));
    expect(it_.asked).toHaveLength(2);
    expect(watch.costUsd).toBe(2);
  });

  it.each([undefined, {}, total("1"), total(-1), total(Number.POSITIVE_INFINITY), total(null)])(
    "is what it was where the CLI answers %j, and never less",
    async (answer) => {
      const it_ = conversation("new");
      const watch = new CostWatch(it_.watched, () => {});
      for (const each of [total(1), answer, total(0.5)]) {
        watch.look();
        await nextLoop();
        await it_.answer(each);
      }
      expect(watch.costUsd).toBe(1);
      watch.look();
      await nextLoop();
      expect(it_.asked).toHaveLength(4);
    },
  );

  it("is not asked for once the turn is over", async () => {
    const it_ = conversation("new");
    const watch = new CostWatch(it_.watched, () => {});
    watch.look();
    await nextLoop();
    watch.close();
    await it_.answer(total(1));
    watch.look();
    await nextLoop();
    expect(it_.asked).toHaveLength(1);
    expect(watch.costUsd).toBe(0);
  });
});

describe("the calls of the model", () => {
  it("are counted by their ids, however many blocks each has, also where they come mixed", () => {
    const calls = new ModelCalls();
    for (const id of ["a", "b", "a", "b", "c", "a"]) calls.note(id);
    expect(calls.count).toBe(3);
    calls.note("");
    calls.note("");
    expect(calls.count).toBe(5);
    const many = Array.from({ length: 10_000 }, (_, n) => `id ${n}`);
    for (const id of many) calls.note(id);
    expect(calls.count).toBe(10_005);
  });

  it("are those of subagents too, and not the CLI's own words", () => {
    const message = (id: string, more: object = {}, model = "m-1") => {
      const line = assistant("words");
      return { ...line, ...more, message: { ...line.message, id, model } };
    };
    const { translation } = translate(
      INIT,
      message("one"),
      message("one"),
      message("two", { parent_tool_use_id: "toolu_1" }),
      message("three", {}, "<synthetic>"),
    );
    expect(translation.modelTurns).toBe(2);
  });
});
