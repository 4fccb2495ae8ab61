import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ErrorEventSchema,
  ErrorReason,
  ResultEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import {
  awaitsProcesses,
  type EndCause,
  nameInterrupter,
  terminalOf,
} from "../../src/turns/end-causes.ts";

type ServerCause = Exclude<EndCause, { case: "agent" }>;

const result = () => ({ case: "result" as const, value: create(ResultEventSchema) });

const FULL = new Error("the disk is full");

/** What each cause makes of a turn: the reason, what is said of it, and whether its processes are gone before. */
const ENDS: readonly (readonly [ServerCause, ErrorReason, RegExp, boolean])[] = [
  [{ case: "noTerminal" }, ErrorReason.AGENT_PROTOCOL, /without a result/, true],
  [{ case: "cancel" }, ErrorReason.CANCELED, /CancelTurn/, true],
  [
    { case: "interruptBeforeRun", by: "caller" },
    ErrorReason.CANCELED,
    /InterruptTurn before it began/,
    true,
  ],
  [
    { case: "interruptBeforeRun", by: "prompt" },
    ErrorReason.CANCELED,
    /for a prompt that waited before it began/,
    true,
  ],
  [{ case: "prompt" }, ErrorReason.CANCELED, /^interrupted for a prompt that waited$/, true],
  [{ case: "turnTimeout", limitMs: 1500 }, ErrorReason.TURN_TIMEOUT, /longer than 1\.5 s/, true],
  [{ case: "idleTimeout", limitMs: 2500 }, ErrorReason.IDLE_TIMEOUT, /nothing for 2\.5 s/, true],
  [{ case: "shutdown" }, ErrorReason.SERVER_SHUTDOWN, /shut down/, true],
  [
    { case: "restart", wasQueued: true },
    ErrorReason.SERVER_RESTARTED,
    /waited; nothing of it was run/,
    false,
  ],
  [
    { case: "restart", wasQueued: false },
    ErrorReason.SERVER_RESTARTED,
    /ran; what it had done until then is done/,
    false,
  ],
  [
    { case: "outputLimit", limitBytes: 77 },
    ErrorReason.OUTPUT_LIMIT,
    /77 bytes \(BREAKGLASS_MAX_TURN_BYTES\)/,
    true,
  ],
  [{ case: "spendingLimit", limit: "too much" }, ErrorReason.LIMIT_REACHED, /^too much$/, true],
  [{ case: "store", error: FULL }, ErrorReason.STORAGE, /events: the disk is full$/, true],
  [
    { case: "attachments", error: FULL },
    ErrorReason.AGENT_START_FAILED,
    /workspace: the disk is full\. Nothing was run\.$/,
    true,
  ],
  [{ case: "defect" }, ErrorReason.AGENT_PROTOCOL, /its log has the details/, true],
];

describe("an end by", () => {
  it.each(ENDS)(
    "%o has a reason and words, and waits for processes or not",
    (cause, reason, message, waits) => {
      const spending = { usage: undefined, totalCostUsd: 0.25 };
      expect(terminalOf(cause, spending)).toMatchObject({
        case: "error",
        value: { reason, message: expect.stringMatching(message), totalCostUsd: 0.25 },
      });
      expect(awaitsProcesses(cause)).toBe(waits);
    },
  );

  it("the agent is its own event, and waits for nothing", () => {
    const terminal = result();
    expect(terminalOf({ case: "agent", terminal })).toBe(terminal);
    expect(awaitsProcesses({ case: "agent", terminal })).toBe(false);
  });
});

describe("an agent's end, where it was asked to stop", () => {
  const error = (reason: ErrorReason) => ({
    case: "error" as const,
    value: create(ErrorEventSchema, { reason, message: "stopped" }),
  });

  it.each([
    ["caller", "interrupted by InterruptTurn"],
    ["prompt", "interrupted for a prompt that waited"],
    [undefined, "stopped"],
  ] as const)("says for whom: %s", (by, message) => {
    const terminal = error(ErrorReason.CANCELED);
    nameInterrupter(terminal, by);
    expect(terminal.value.message).toBe(message);
  });

  it("says for which limit", () => {
    const terminal = error(ErrorReason.CANCELED);
    nameInterrupter(terminal, { limit: "too much" });
    expect(terminal.value).toMatchObject({
      reason: ErrorReason.LIMIT_REACHED,
      message: "too much",
    });
  });

  it("says what the agent says where it did not stop for that", () => {
    const failed = error(ErrorReason.AGENT_EXITED);
    nameInterrupter(failed, "caller");
    expect(failed.value.message).toBe("stopped");
    const done = result();
    nameInterrupter(done, "caller");
    expect(done).toEqual(result());
  });
});
