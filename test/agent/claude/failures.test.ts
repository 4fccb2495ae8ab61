import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnEventSchema } from "../../../gen/breakglass/v1/event_pb.ts";
import {
  explainExit,
  explainStartError,
  isSessionInUse,
  type SilentExit,
} from "../../../src/agent/claude/failures.ts";

const QUIET: SilentExit = {
  exitCode: 1,
  signal: null,
  stderrTail: "",
  understood: 0,
  initialized: false,
  agent: "breakglass",
  printed: false,
};

describe("explainExit", () => {
  it.each<[string, ErrorReason, RegExp]>([
    [
      "--agent 'x' not found. Available agents: claude, Plan\n",
      ErrorReason.AGENT_NOT_FOUND,
      /"breakglass".*\.claude\/agents.*claude, Plan/,
    ],
    [
      "--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons",
      ErrorReason.AGENT_START_FAILED,
      /IS_SANDBOX=1/,
    ],
    ["error: unknown option '--agents'", ErrorReason.AGENT_START_FAILED, /--agents.*Install/],
    ["Error: Session ID abc is already in use.", ErrorReason.AGENT_START_FAILED, /new session/],
    ["No conversation found with session ID: abc", ErrorReason.AGENT_START_FAILED, /new session/],
    ["Error: Invalid session ID. Must be a valid UUID.", ErrorReason.AGENT_START_FAILED, /id/],
    ["Error: Invalid --agents configuration:\nx", ErrorReason.AGENT_START_FAILED, /definition/],
    ["Error: piped stdin input exceeds 10MB", ErrorReason.AGENT_START_FAILED, /shorter/],
    ["ENOSPC: no space left on device, write", ErrorReason.AGENT_START_FAILED, /disk/],
    ["first\nsome new failure\n", ErrorReason.AGENT_START_FAILED, /status 1.*: some new failure\./],
  ])("says what to do about %j", (stderrTail, reason, message) => {
    const value = explainExit({ ...QUIET, stderrTail });
    expect(value).toMatchObject({ reason, exitCode: 1, signal: "", stderrTail });
    expect(value.message).toMatch(message);
  });

  it("tells a program that is not the CLI from one that fails", () => {
    const reasonOf = (exit: Partial<SilentExit>) => explainExit({ ...QUIET, ...exit }).reason;
    expect(reasonOf({ printed: true })).toBe(ErrorReason.AGENT_PROTOCOL);
    expect(reasonOf({ exitCode: 0 })).toBe(ErrorReason.AGENT_PROTOCOL);
    expect(reasonOf({})).toBe(ErrorReason.AGENT_START_FAILED);
    expect(reasonOf({ printed: true, understood: 2 })).toBe(ErrorReason.AGENT_START_FAILED);
    expect(reasonOf({ exitCode: null, signal: "SIGKILL" })).toBe(ErrorReason.AGENT_START_FAILED);
  });

  it("tells of an end in the middle of the turn, whatever stderr holds", () => {
    const running = { ...QUIET, understood: 3, initialized: true, printed: true };
    const stderrTail = "--agent 'x' not found";
    const failed = explainExit({ ...running, stderrTail, exitCode: 0 });
    expect(failed).toMatchObject({ reason: ErrorReason.AGENT_EXITED, exitCode: 0 });
    const killed = explainExit({ ...running, exitCode: null, signal: "SIGKILL" });
    expect(killed).toMatchObject({ reason: ErrorReason.AGENT_EXITED, signal: "SIGKILL" });
    expect(killed.exitCode).toBeUndefined();
    expect(killed.message).toMatch(/SIGKILL.*memory/);
  });

  it("can be sent, whatever stderr held", () => {
    const value = explainExit({ ...QUIET, exitCode: 2 ** 40, stderrTail: "a\ud800\0" });
    const event = create(TurnEventSchema, { kind: { case: "error", value } });
    expect(toBinary(TurnEventSchema, event).length).toBeGreaterThan(0);
  });
});

describe("explainStartError", () => {
  it.each<[string, ErrorReason, RegExp]>([
    ["ENOENT", ErrorReason.AGENT_NOT_FOUND, /\/opt\/claude.*BREAKGLASS_AGENT_COMMAND/],
    ["ENOTDIR", ErrorReason.AGENT_NOT_FOUND, /\/opt\/claude/],
    ["EACCES", ErrorReason.AGENT_START_FAILED, /executable/],
    ["EAGAIN", ErrorReason.AGENT_START_FAILED, /BREAKGLASS_MAX_CONCURRENT_TURNS/],
    ["E2BIG", ErrorReason.AGENT_START_FAILED, /spawn E2BIG/],
  ])("%s from spawn", (code, reason, message) => {
    const error = Object.assign(new Error(`spawn ${code}`), { code, syscall: "spawn /opt/claude" });
    const value = explainStartError(error, "/opt/claude");
    expect(value.reason).toBe(reason);
    expect(value.message).toMatch(message);
  });

  it("a workspace that is gone", () => {
    const error = Object.assign(new Error("no such directory, '/ws'"), { code: "ENOTDIR" });
    const value = explainStartError(error, "claude");
    expect(value.reason).toBe(ErrorReason.AGENT_START_FAILED);
    expect(value.message).toMatch(/workspace.*'\/ws'/);
  });
});

describe("isSessionInUse", () => {
  it("knows the CLI's words", () => {
    expect(isSessionInUse("warning\nError: Session ID 5-6 is already in use.\n")).toBe(true);
    expect(isSessionInUse("address already in use")).toBe(false);
  });
});
