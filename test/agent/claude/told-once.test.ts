import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { BackgroundTasks } from "../../../src/agent/claude/background-tasks.ts";
import { ServerFailures } from "../../../src/agent/claude/server-failures.ts";
import { TaskEnds } from "../../../src/agent/claude/task-ends.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { append, assistant, ID, INIT, translate, valuesOf } from "./lines.ts";

const system = (subtype: string, fields: object) => ({ type: "system", subtype, ...fields });
const started = system("task_started", { task_id: "b1", description: "sleep 9" });
const updated = (status: string) => system("task_updated", { task_id: "b1", patch: { status } });
const notified = system("task_notification", {
  task_id: "b1",
  status: "completed",
  summary: "slept",
});
const words = assistant([{ type: "text", text: "x" }]);
const ends = (...lines: object[]) =>
  valuesOf(translate(INIT, started, ...lines).events, "notice")
    .filter(({ reason }) => reason === NoticeReason.TASK_ENDED)
    .map(({ message }) => message);

describe("the end of a task is told once,", () => {
  it.each(["completed", "failed", "killed"])("by an update alone: %s", (status) => {
    expect(ends(updated(status), words)).toEqual([`Task ${status}: sleep 9`]);
    expect(ends(updated(status), { type: "result", subtype: "success" })).toHaveLength(1);
  });

  it("by its notification, which knows more, where that follows, comes first or alone", () => {
    expect(ends(updated("completed"), notified, words)).toEqual(["Task completed: slept"]);
    expect(ends(notified, updated("completed"), words)).toEqual(["Task completed: slept"]);
    expect(ends(notified)).toEqual(["Task completed: slept"]);
  });

  it("where the notification comes later, or anything comes twice", () => {
    expect(ends(updated("killed"), words, notified, updated("killed"), notified)).toHaveLength(1);
  });

  it("where it comes after the turn that was told", () => {
    const shared = { agent: "breakglass", resumed: false, taskEnds: new TaskEnds() };
    const first = append(new ClaudeTranslation(shared), INIT, started, updated("killed"), words);
    const second = append(new ClaudeTranslation(shared), notified, words);
    expect(valuesOf(first, "notice").map(({ reason }) => reason)).toEqual([
      NoticeReason.TASK_STARTED,
      NoticeReason.TASK_ENDED,
    ]);
    expect(valuesOf(second, "notice")).toEqual([]);
  });

  it("and not where it is of no interest, nor where it goes on", () => {
    expect(
      ends(system("task_updated", { task_id: "b1", patch: { is_backgrounded: true } })),
    ).toEqual([]);
    const silent = system("task_started", { task_id: "b2", description: "x", ambient: true });
    const over = system("task_updated", { task_id: "b2", patch: { status: "completed" } });
    expect(ends(silent, over, words)).toEqual([]);
  });
});

describe("the tasks in the background", () => {
  const turn = "turn-1";

  it("are one less once an update says that one is over, and its cause is known", () => {
    for (const status of ["completed", "failed", "killed"]) {
      const tasks = new BackgroundTasks();
      for (const message of [started, updated(status), notified]) tasks.note(message, turn);
      expect([tasks.size, tasks.lastCause]).toEqual([0, turn]);
    }
  });

  it("are one less by an update alone", () => {
    const tasks = new BackgroundTasks();
    for (const message of [started, updated("killed")]) tasks.note(message, turn);
    expect([tasks.size, tasks.lastCause]).toEqual([0, turn]);
  });

  it("are one more once one goes there", () => {
    const tasks = new BackgroundTasks();
    tasks.note({ ...started, is_backgrounded: false } as never, turn);
    expect(tasks.size).toBe(0);
    tasks.note(system("task_updated", { task_id: "b1", patch: { is_backgrounded: true } }), turn);
    expect(tasks.size).toBe(1);
  });
});

describe("MCP servers that did not come up", () => {
  const servers = [
    { name: "tickets", status: "failed" },
    { name: "wiki", status: "needs-auth" },
    { name: "fine", status: "connected" },
    { name: "soon", status: "pending" },
  ];
  const warnings = (...lines: object[]) =>
    valuesOf(translate(...lines).events, "notice").map(({ reason, message }) => [reason, message]);

  it("are named, behind the session event", () => {
    expect(warnings({ ...INIT, mcp_servers: servers })).toEqual([
      [
        NoticeReason.AGENT_WARNING,
        "MCP servers whose tools the agent does not have: tickets did not come up; wiki needs a login, which only the CLI at a screen can do (/mcp)",
      ],
    ]);
    expect(warnings({ ...INIT, mcp_servers: [null, { name: 7 }] })).toEqual([]);
  });

  it("are told once of a process, and anew where they change", () => {
    const failures = new ServerFailures();
    const told = [servers, servers, servers.slice(1), servers].map((list) => {
      const events: never[] = [];
      failures.note(list, events);
      return events.length;
    });
    expect(told).toEqual([1, 0, 1, 1]);
  });
});

describe("the session event", () => {
  it("says resumed only where the conversation is the one that was asked for", () => {
    const other = "6b2a3e0c-4b5d-4c1e-9f0a-1b2c3d4e5f60";
    const come = (agentSessionId: string | undefined, resumed: boolean) => {
      const translation = new ClaudeTranslation({
        agent: "breakglass",
        resumed,
        ...(agentSessionId && { agentSessionId }),
      });
      const events = append(translation, INIT);
      const [session] = valuesOf(events, "session");
      return [session?.resumed, valuesOf(events, "notice").map(({ reason }) => reason)];
    };
    expect(come(ID, true)).toEqual([true, []]);
    expect(come(undefined, true)).toEqual([true, []]);
    expect(come(other, true)).toEqual([false, [NoticeReason.CONVERSATION_RESET]]);
    expect(come(other, false)).toEqual([false, []]);
  });
});
