import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { startLiveServer } from "../e2e/live-server.ts";
import { growthAlone } from "../fault/hostile-memory.ts";
import { valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";

/** Each took so much within the time, alone, before it was bounded. */
const MOST_MB = 250;
const FOR_MS = 6000;

describe("an agent that prints what a server might keep", () => {
  it.concurrent.each(["ids of tasks", "inputs of approvals"])(
    "cannot make it grow without bound: %s",
    async (sort) => {
      expect(await growthAlone(sort, 1, FOR_MS)).toBeLessThan(MOST_MB);
    },
  );
});

describe("an agent that asks without reading the answers", () => {
  it("is ended, and its turn says why", async () => {
    await using live = await startLiveServer();
    const request = `{"type":"control_request","request_id":"${"r".repeat(150)}","request":{"subtype":"nosuch"}}`;
    const events = await live.run({
      prompt: script("deaf", "say first", `repeat 50000 ${request}`, "hang"),
    });
    expect(valuesOf(events, "notice").map(({ message }) => message)).toContainEqual(
      "The agent asked without reading the answers, and is ended",
    );
    expect(valuesOf(events, "error")).toMatchObject([{ reason: ErrorReason.AGENT_EXITED }]);
  });
});
