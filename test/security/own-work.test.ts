import { expect, it } from "vitest";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import { said, startLiveServer } from "../e2e/live-server.ts";
import { valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";

// What a process prints between turns makes turns of its session's: whoever can write to its output could fill the session.

/** It takes ten seconds, of a store that nobody else keeps waiting. */
const WITHIN_MS = 120_000;

it("ends an agent that begins to work by itself again and again, before the session is full", {
  timeout: 2 * WITHIN_MS,
}, async () => {
  await using live = await startLiveServer({
    BREAKGLASS_MAX_SESSION_TURNS: "1100",
  });
  const first = await live.run({ prompt: "idle-work 2000" });
  const { sessionId } = first[0]!;
  expect(await eventually(live.server.processes, ({ length }) => length === 0, WITHIN_MS)).toEqual(
    [],
  );
  const count = async () => (await live.client.getSession({ sessionId })).session?.turnCount ?? 0;
  const isStill = async () => (await live.client.getSession({ sessionId })).session?.runningTurnId;
  expect(await eventually(isStill, (running) => running === "", WITHIN_MS)).toBe("");
  expect(await count()).toBeGreaterThan(100);
  expect(await count()).toBeLessThanOrEqual(1001);
  const next = await live.run({ sessionId, prompt: "say on" });
  expect(said(next)).toEqual(["on"]);
  expect(valuesOf(next, "notice")).toContainEqual(
    expect.objectContaining({
      reason: NoticeReason.AGENT_WARNING,
      message: expect.stringContaining("by itself more than 1000 times"),
    }),
  );
});
