import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  ApprovalDecision,
  ErrorReason,
  NoticeReason,
  TurnEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { eventText } from "../../src/commands/event-text.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

function shown(kind: Kind): string {
  return eventText(create(TurnEventSchema, { kind }), { style: (_style, text) => text });
}

describe("eventText", () => {
  it("shows what a session is", () => {
    const value = { model: "claude-x", agent: "breakglass", agentVersion: "2.1", resumed: true };
    expect(shown({ case: "session", value })).toBe(
      "[claude-x, agent breakglass, version 2.1, resumed]\n",
    );
  });

  it("shows prose whole, without control sequences", () => {
    expect(shown({ case: "text", value: { text: "one\ntwo\u001b[31m" } })).toBe(
      "one\ntwo\\u{1b}[31m\n",
    );
  });

  it("indents what a subagent says", () => {
    const value = { text: "one\n\ntwo", parentToolId: "t1" };
    expect(shown({ case: "text", value })).toBe("    one\n\n    two\n");
  });

  it("shows a tool with its first text on one line", () => {
    const inputJson = JSON.stringify({ timeout: 5, command: "ls\n-l", description: "List" });
    expect(shown({ case: "tool", value: { name: "Bash", inputJson } })).toBe("> Bash ls -l\n");
  });

  it.each([
    ['{"limit":5}', '> Read {"limit":5}\n'],
    ["null", "> Read null\n"],
    ["not JSON \u0007", "> Read not JSON \\u{7}\n"],
    [`{"command":"${"x".repeat(200)}"}`, `> Read ${"x".repeat(99)}…\n`],
  ])("shows a tool with the input %s", (inputJson, text) => {
    expect(shown({ case: "tool", value: { name: "Read", inputJson } })).toBe(text);
  });

  it("says how large an input was that was left out", () => {
    const value = { name: "Write", truncated: true, totalBytes: 9_000_000n };
    expect(shown({ case: "tool", value })).toBe("> Write (9000000 bytes)\n");
  });

  it("shows the beginning of a tool's result and how many lines it has", () => {
    const content = Array.from({ length: 12 }, (_, index) => `line ${index + 1}\r\n`).join("");
    const text = shown({ case: "toolResult", value: { content } });
    expect(text.split("\n")).toEqual([
      ...Array.from({ length: 8 }, (_, index) => `  | line ${index + 1}`),
      "  | … (12 lines)",
      "",
    ]);
  });

  it("cuts a long line of a tool's result", () => {
    const text = shown({ case: "toolResult", value: { content: "x".repeat(1_000_000) } });
    expect(text).toBe(`  | ${"x".repeat(160)}… (1000000 characters)\n`);
  });

  it("shows a retry with its attempt and delay", () => {
    const value = {
      reason: NoticeReason.API_RETRY,
      message: "overloaded",
      attempt: 2,
      maxAttempts: 10,
      delay: durationFromMs(1500),
    };
    expect(shown({ case: "notice", value })).toBe(
      "! API_RETRY (attempt 2 of 10 in 1.5 s) overloaded\n",
    );
  });

  it("ends with state, duration and cost", () => {
    const value = { result: "done", duration: durationFromMs(3210), totalCostUsd: 0.01234 };
    expect(shown({ case: "result", value })).toBe("Succeeded (3.2 s, $0.0123)\n");
  });

  it("does not end like a clean success where tool calls were denied, and says which", () => {
    const denial = (command: string) => ({ name: "Bash", inputJson: JSON.stringify({ command }) });
    const one = { permissionDenials: [denial("rm\u001b[2J x")] };
    expect(shown({ case: "result", value: one })).toBe(
      "Ended without an error, but may not have done what it says:\n1 tool call was denied:\n  - Bash rm\\u{1b}[2J x\n",
    );
    const many = { permissionDenials: Array.from({ length: 7 }, (_, n) => denial(`try ${n}`)) };
    const text = shown({ case: "result", value: many });
    expect(text).toContain("7 tool calls were denied:\n  - Bash try 0\n");
    expect(text).toContain("  - Bash try 4\n  … 2 more\n");
  });

  it("shows a message for the running turn and who sent it", () => {
    const value = { message: "not the\ndatabase\u001b[2J", principal: "alice" };
    expect(shown({ case: "steer", value })).toBe("« alice: not the\n  database\\u{1b}[2J »\n");
  });

  it("shows what was asked without how to answer it: that may have been done since", () => {
    const value = {
      approvalId: "A",
      name: "Bash",
      inputJson: '{"command": "ls"}',
      description: "Look",
    };
    expect(shown({ case: "approvalRequest", value })).toBe(
      '? Bash asked for an approval: Look\n  | {"command": "ls"}\n',
    );
  });

  it("cuts no notice: what to do stands at its end", () => {
    const message = `${"The API does not answer. ".repeat(20)}Set ANTHROPIC_BASE_URL.`;
    const value = { reason: NoticeReason.API_ERROR, message };
    expect(shown({ case: "notice", value })).toBe(`! API_ERROR ${message}\n`);
  });

  it("shows inputs and outputs whole where that is asked for", () => {
    const full = (kind: Kind) =>
      eventText(create(TurnEventSchema, { kind }), { style: (_style, text) => text, full: true });
    const lines = Array.from({ length: 30 }, (_, n) => `${n} ${"x".repeat(300)}`);
    const command = `cat <<'E'\n${lines.join("\n")}\nE`;
    const inputJson = JSON.stringify({ command, description: "Print" });
    const shownTool = full({ case: "tool", value: { name: "Bash", inputJson } });
    expect(shownTool).toBe(`> Bash ${command.replaceAll("\n", "\n  | ")}\n`);
    const content = lines.join("\n");
    expect(full({ case: "toolResult", value: { content } })).toBe(
      lines.map((line) => `  | ${line}\n`).join(""),
    );
    const edit = JSON.stringify({ file_path: "/etc/x", old_string: "a\nb" });
    expect(full({ case: "tool", value: { name: "Edit", inputJson: edit } })).toBe(
      '> Edit {\n  |   "file_path": "/etc/x",\n  |   "old_string": "a\\nb"\n  | }\n',
    );
    // 1e400 is no number to JavaScript.
    const odd = '{"n": 1e400}';
    expect(full({ case: "tool", value: { name: "X", inputJson: odd } })).toBe(`> X ${odd}\n`);
  });

  it.each([
    [{ decision: ApprovalDecision.ALLOWED, principal: "bob" }, "Allowed by bob"],
    [
      { decision: ApprovalDecision.ALLOWED_CHANGED, principal: "bob", inputJson: '{"a": 1}' },
      'Allowed by bob with another input: {"a": 1}',
    ],
    [
      { decision: ApprovalDecision.DENIED, principal: "bob", message: "not\nthat" },
      "Denied by bob: not that",
    ],
    [{ decision: ApprovalDecision.EXPIRED }, "Denied: nobody answered in time"],
    [{ decision: ApprovalDecision.WITHDRAWN }, "The agent no longer asks"],
  ])("shows how an approval was decided: %o", (value, text) => {
    const resolution = { approvalId: "A", ...value };
    expect(shown({ case: "approvalResolution", value: resolution })).toBe(
      `? ${text} (approval A)\n`,
    );
  });

  it("ends with what failed", () => {
    const value = { isError: true, result: "API Error: 529" };
    expect(shown({ case: "result", value })).toBe("Failed: API Error: 529\n");
  });

  it("ends with why the agent was lost, and its last words", () => {
    const value = {
      reason: ErrorReason.AGENT_EXITED,
      message: "the agent ended",
      exitCode: 0,
      stderrTail: "boom\u001b[2J\n",
    };
    expect(shown({ case: "error", value })).toBe(
      "Ended by AGENT_EXITED (exit status 0): the agent ended\n  | boom\\u{1b}[2J\n",
    );
  });

  it.each<Kind>([
    { case: "checkpoint", value: { sequence: 3 } },
    { case: "textDelta", value: { text: "provisional" } },
    { case: undefined },
  ])("shows nothing of %o", (kind) => {
    expect(shown(kind)).toBe("");
  });
});
