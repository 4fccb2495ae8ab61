import { describe, expect, it } from "vitest";
import { TurnClocks } from "../../src/turns/turn-clocks.ts";
import { eventually } from "../support/processes.ts";
import { LIMITS } from "./driven-turns.ts";

const NEVER_MS = 3_600_000;

/** The clocks of a turn, and what they said, in order. */
function startClocks(limits: Partial<typeof LIMITS>, isExcused: () => boolean = () => false) {
  const told: string[] = [];
  const long = { timeoutMs: NEVER_MS, idleTimeoutMs: NEVER_MS, silenceMs: NEVER_MS };
  const clocks = new TurnClocks(
    { ...LIMITS, ...long, ...limits },
    {
      isExcused,
      turnTimedOut: (limitMs) => void told.push(`turn ${limitMs}`),
      idleTimedOut: (limitMs) => void told.push(`idle ${limitMs}`),
      silenceLasts: (lastedMs) => void told.push(`silence ${lastedMs}`),
    },
  );
  return { clocks, told };
}

const first = (told: string[]) =>
  eventually(
    () => told,
    ({ length }) => length > 0,
  );

describe("a turn's clocks", () => {
  it("tell of the whole turn's time, which begins before its agent does", async () => {
    const { clocks, told } = startClocks({ timeoutMs: 20 });
    expect(clocks.leftMs).toBeGreaterThan(0);
    expect(clocks.leftMs).toBeLessThanOrEqual(20);
    expect(await first(told)).toEqual(["turn 20"]);
    const left = () => clocks.leftMs;
    expect(await eventually(left, (leftMs) => leftMs === 0)).toBe(0);
    clocks.stop();
  });

  it("tell of an agent's idle time, once it has begun", async () => {
    const { clocks, told } = startClocks({ idleTimeoutMs: 10, timeoutMs: 60 });
    expect(await first(told)).toEqual(["turn 60"]);
    clocks.startAgent();
    await eventually(
      () => told,
      ({ length }) => length > 1,
    );
    expect(told).toEqual(["turn 60", "idle 10"]);
    clocks.stop();
  });

  it("give an agent its idle time anew while it is excused, or is heard", async () => {
    let excuses = 0;
    const { clocks, told } = startClocks({ idleTimeoutMs: 10 }, () => ++excuses < 3);
    clocks.startAgent();
    expect(await first(told)).toEqual(["idle 10"]);
    expect(excuses).toBe(3);
    clocks.stop();

    const heard = startClocks({ idleTimeoutMs: 200, timeoutMs: 500 });
    heard.clocks.startAgent();
    const timer = setInterval(() => heard.clocks.heard(), 5);
    expect(await first(heard.told)).toEqual(["turn 500"]);
    clearInterval(timer);
    heard.clocks.stop();
  });

  it("tell of silence from when the agent begins", async () => {
    const { clocks, told } = startClocks({ silenceMs: 10 });
    clocks.startAgent();
    expect((await first(told))[0]).toBe("silence 10");
    clocks.stop();

    const heard = startClocks({ silenceMs: 200, timeoutMs: 500 });
    // It may be heard of before it begins.
    heard.clocks.heard();
    heard.clocks.startAgent();
    const timer = setInterval(() => heard.clocks.heard(), 5);
    expect(await first(heard.told)).toEqual(["turn 500"]);
    clearInterval(timer);
    heard.clocks.stop();
  });

  it("tell of nothing once they are stopped", async () => {
    const { clocks, told } = startClocks({ timeoutMs: 10, idleTimeoutMs: 10, silenceMs: 10 });
    clocks.startAgent();
    clocks.stop();
    const later = startClocks({ timeoutMs: 20 });
    await first(later.told);
    expect(told).toEqual([]);
  });
});
