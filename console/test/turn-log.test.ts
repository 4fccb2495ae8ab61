import {
  ApprovalDecision,
  ErrorReason,
  NoticeReason,
  type TurnEvent,
  TurnEventSchema,
} from "@breakglass/client";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Row } from "../src/turn/rows.svelte.ts";
import { TurnLog } from "../src/turn/turn-log.svelte.ts";

type Kind = NonNullable<MessageInitShape<typeof TurnEventSchema>["kind"]>;

/** A log, and what feeds it with events of the next sequences. */
class Fed {
  readonly log = new TurnLog((apply) => {
    this.#apply = apply;
  });
  #apply = () => {};
  #sequence = 0;

  take(kind: Kind, sequence = ++this.#sequence): void {
    this.log.take(eventOf(kind, sequence));
  }

  frame(): void {
    this.#apply();
  }

  /** The rows as they stand after a frame, each as its depth and what it is. */
  get shown(): string[] {
    this.frame();
    return this.log.rows.map((row) => "  ".repeat(row.depth) + nameOf(row));
  }
}

function eventOf(kind: Kind, sequence: number): TurnEvent {
  return create(TurnEventSchema, { sequence, kind });
}

function nameOf(row: Row): string {
  switch (row.kind) {
    case "tool": {
      const result = row.result === undefined ? "" : ` = ${row.result.content}`;
      return `${row.call.name} ${row.state}${result}`;
    }
    case "retry":
      return `retry ${row.notice.attempt} of ${row.notice.maxAttempts}, ${row.count} times`;
    case "approval":
      return `${row.approval.request.name} asks`;
    case "event":
      return row.event.kind.case === "text"
        ? `"${row.event.kind.value.text}"`
        : String(row.event.kind.case);
  }
}

const text = (text: string, parentToolId = ""): Kind => ({
  case: "text",
  value: { text, parentToolId },
});
const tool = (toolId: string, name: string, parentToolId = ""): Kind => ({
  case: "tool",
  value: { toolId, name, parentToolId },
});
const result = (toolId: string, content: string, isError = false): Kind => ({
  case: "toolResult",
  value: { toolId, content, isError },
});
const piece = (text: string, messageId = "m"): Kind => ({
  case: "textDelta",
  value: { text, messageId },
});
const retry = (attempt: number): Kind => ({
  case: "notice",
  value: { reason: NoticeReason.API_RETRY, attempt, maxAttempts: 10 },
});
const request = (approvalId: string, toolId: string): Kind => ({
  case: "approvalRequest",
  value: { approvalId, toolId, name: "Bash" },
});
const resolution = (approvalId: string, decision: ApprovalDecision): Kind => ({
  case: "approvalResolution",
  value: { approvalId, decision, principal: "bo" },
});

describe("the log of a turn", () => {
  it("shows nothing before the frame, and then all of it at once", () => {
    const fed = new Fed();
    fed.take(text("a"));
    fed.take(text("b"));
    expect(fed.log.rows).toEqual([]);
    expect(fed.shown).toEqual(['"a"', '"b"']);
    expect(fed.log.version).toBe(1);
  });

  it("keeps one of what comes twice", () => {
    const fed = new Fed();
    for (const sequence of [1, 2, 1, 2, 3, 3]) fed.take(text(String(sequence)), sequence);
    fed.frame();
    fed.take(text("2"), 2);
    expect(fed.shown).toEqual(['"1"', '"2"', '"3"']);
  });

  it("gives each of parallel calls its own result, however late", () => {
    const fed = new Fed();
    fed.take(tool("a", "Read"));
    fed.take(tool("b", "Grep"));
    fed.take(tool("c", "Bash"));
    fed.take(result("b", "found"));
    fed.take(text("meanwhile"));
    fed.take(result("a", "no such file", true));
    fed.take(result("z", "of nobody"));
    expect(fed.shown).toEqual([
      "Read failed = no such file",
      "Grep done = found",
      "Bash running",
      '"meanwhile"',
      "toolResult",
    ]);
    fed.take({ case: "error", value: { reason: ErrorReason.AGENT_EXITED } });
    fed.frame();
    expect(fed.log.calls.map(({ state }) => state)).toEqual(["failed", "done", "unanswered"]);
    expect(fed.log.rowOf(4)).toBe(fed.log.callOf("b"));
  });

  it("takes rows far from a long chain of calls as fast as any", () => {
    const fed = new Fed();
    const count = 60_000;
    fed.take(tool("root", "Task"));
    fed.take(tool("beside", "Task"));
    let parent = "root";
    for (let n = 0; n < count; n++) {
      fed.take(tool(`${n}`, "Task", parent));
      parent = `${n}`;
    }
    fed.frame();
    fed.take(text("aside", "beside"));
    for (let n = 0; n < count; n++) fed.take(text("aside", "root"));
    fed.frame();
    expect(fed.log.rows.length).toBe(2 * count + 3);
  });

  it("has what subagents do below the calls that started them, however deep and mixed", () => {
    const fed = new Fed();
    fed.take(tool("a", "Task"));
    fed.take(tool("b", "Task"));
    fed.take(text("of a", "a"));
    fed.take(text("of b", "b"));
    fed.take(tool("c", "Task", "a"));
    fed.take(text("of c", "c"));
    fed.take(text("of nobody known", "z"));
    fed.take(text("of a again", "a"));
    expect(fed.shown).toEqual([
      "Task running",
      '  "of a"',
      "  Task running",
      '    "of c"',
      '  "of a again"',
      "Task running",
      '  "of b"',
      '  "of nobody known"',
    ]);
  });

  it("is not led in circles by calls that name themselves, or one another", () => {
    const fed = new Fed();
    fed.take(tool("a", "A", "a"));
    fed.take(tool("b", "B", "c"));
    fed.take(tool("c", "C", "b"));
    fed.take(tool("a", "A2", "a"));
    fed.take(text("x", "a"));
    expect(fed.shown).toEqual([
      "  A running",
      "    A2 running",
      '      "x"',
      "  B running",
      "    C running",
    ]);
  });

  it("has approvals at the calls that they are of, also where they come before", () => {
    const fed = new Fed();
    fed.take(tool("a", "Bash"));
    fed.take(request("1", "a"));
    fed.take(request("2", "b"));
    expect(fed.shown).toEqual(["Bash waiting", "Bash asks"]);
    expect(fed.log.waiting).toBe(2);
    fed.take(resolution("1", ApprovalDecision.ALLOWED));
    fed.take(tool("b", "Write"));
    expect(fed.shown).toEqual(["Bash running", "Write waiting"]);
    fed.take(resolution("2", ApprovalDecision.DENIED));
    fed.take(resolution("2", ApprovalDecision.DENIED));
    fed.take(result("b", "no", true));
    expect(fed.shown).toEqual(["Bash running", "Write denied = no"]);
    expect(fed.log.waiting).toBe(0);
    expect(fed.log.callOf("b")?.approvals[0]?.resolution?.principal).toBe("bo");
  });

  it("lets no approval wait beyond the turn's end", () => {
    const fed = new Fed();
    fed.take(tool("a", "Bash"));
    fed.take(request("1", "a"));
    fed.take(request("2", "unknown"));
    fed.take({ case: "error", value: { reason: ErrorReason.CANCELED } });
    fed.frame();
    expect(fed.log.waiting).toBe(0);
    expect(fed.log.callOf("a")?.approvals[0]?.resolution?.decision).toBe(
      ApprovalDecision.WITHDRAWN,
    );
    expect(fed.log.callOf("a")?.state).toBe("unanswered");
  });

  it("counts the retries of one call in one row", () => {
    const fed = new Fed();
    for (const attempt of [1, 2, 3]) fed.take(retry(attempt));
    expect(fed.shown).toEqual(["retry 3 of 10, 3 times"]);
    fed.take(retry(1));
    fed.take(text("there"));
    fed.take(retry(2));
    expect(fed.shown).toEqual([
      "retry 3 of 10, 3 times",
      "retry 1 of 10, 1 times",
      '"there"',
      "retry 2 of 10, 1 times",
    ]);
  });

  it("joins the pieces of one message, and forgets them by the rules of the stream", () => {
    const fed = new Fed();
    const live = () => {
      fed.frame();
      return fed.log.live?.text;
    };
    fed.take(piece("a"), 0);
    fed.take(piece("b"), 0);
    expect(live()).toBe("ab");
    fed.take(text("of a subagent", "t"));
    expect(live()).toBe("ab");
    fed.take(text("abc"));
    expect(live()).toBeUndefined();
    fed.take(piece("d", "n"), 0);
    fed.take(piece("e", "n#2"), 0);
    expect(live()).toBe("e");
    fed.take(piece("", "n#2"), 0);
    expect(live()).toBeUndefined();
    fed.take(piece("f"), 0);
    fed.take({ case: "result", value: { result: "done" } });
    expect(live()).toBeUndefined();
  });

  it("has a row for a kind that it does not know", () => {
    const fed = new Fed();
    fed.log.take(create(TurnEventSchema, { sequence: 1 }));
    expect(fed.shown).toEqual(["undefined"]);
  });

  it("takes as long for each of 40,000 events as for each of 4,000", () => {
    const time = (count: number) => {
      const fed = new Fed();
      const start = performance.now();
      for (let n = 0; n < count / 2; n++) {
        fed.take(tool(String(n), "Bash"));
        fed.take(result(String(n), "ok"));
        fed.frame();
      }
      return (performance.now() - start) / count;
    };
    time(4000);
    expect(time(40_000)).toBeLessThan(time(4000) * 10 + 0.01);
  });
});
