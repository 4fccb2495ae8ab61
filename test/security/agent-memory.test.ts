import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { startLiveServer } from "../e2e/live-server.ts";
import { measureSort } from "../fault/hostile-memory.ts";
import { valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";

/** As many as a server takes by default; each sort took more than a GB before it was bounded. */
const AGENTS = 16;
const MOST_MB = 450;
const LONG_MS = 120_000;

describe("agents that print what a server might keep", () => {
  it.each([
    "large results of tools, idle",
    "ids of tasks",
    "inputs of approvals",
    "requests, answers unread",
    "a line that does not end",
    "messages of large blocks",
    "denials in results",
    "lines of many values",
  ])(
    "cannot make it grow without bound, nor end another turn: %s",
    async (sort) => {
      const { growthMb, faults } = await measureSort(sort, AGENTS);
      expect(faults).toEqual([]);
      expect(growthMb).toBeLessThan(MOST_MB);
    },
    LONG_MS,
  );
});

describe("an agent that asks without reading the answers", () => {
  it("is ended, and its turn says why", async () => {
    await using live = await startLiveServer();
    const request = `{"type":"control_request","request_id":"${"r".repeat(150)}","request":{"subtype":"nosuch"}}`;
    const events = await live.run({
      prompt: script("say first", `repeat 50000 ${request}`, "hang"),
    });
    expect(valuesOf(events, "notice").map(({ message }) => message)).toContainEqual(
      "The agent asked without reading the answers, and is ended",
    );
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.AGENT_EXITED }]);
  });
});
