import fc from "fast-check";
import { expect, it } from "vitest";
import { ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { explainExit, isSessionInUse } from "../../../src/agent/claude/failures.ts";
import { faultsOfBytes } from "./stream-rules.ts";

const REASONS = [
  ErrorReason.AGENT_NOT_FOUND,
  ErrorReason.AGENT_START_FAILED,
  ErrorReason.AGENT_EXITED,
  ErrorReason.AGENT_PROTOCOL,
];

/** Pieces of what the CLI is known to write, whole and in part. */
const PIECES = [
  "--agent '",
  "x' not found",
  ". Available agents: ",
  "a, b",
  "Session ID ",
  " is already in use",
  "unknown option '",
  "'",
  "\n",
  "\ud800",
  "\ufffd",
  "ENOSPC",
  "x".repeat(9000),
];
const stderr = fc
  .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: "binary" })), { maxLength: 30 })
  .map((pieces) => pieces.join(""));

it("explains every exit, whatever was written to stderr, in an error that can be kept", () => {
  const exit = fc.record({
    exitCode: fc.oneof(fc.constant(null), fc.nat(255)),
    signal: fc.constantFrom(null, "SIGKILL", "SIGTERM"),
    stderrTail: stderr,
    understood: fc.nat(2),
    initialized: fc.boolean(),
    agent: fc.string({ unit: "binary" }),
    printed: fc.boolean(),
  });
  const property = fc.property(exit, (how) => {
    const value = explainExit(how);
    expect(REASONS).toContain(value.reason);
    expect(value.message).not.toBe("");
    expect(value.exitCode ?? null).toBe(how.exitCode);
    expect(typeof isSessionInUse(how.stderrTail)).toBe("boolean");
    expect(faultsOfBytes([{ case: "error", value }])).toEqual([]);
  });
  fc.assert(property, { numRuns: 1500 });
});
