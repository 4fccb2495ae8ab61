import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { AgentMemory } from "../../../src/agent/agent-memory.ts";
import { BackgroundTasks } from "../../../src/agent/claude/background-tasks.ts";
import { MAX_VALUES, type Message } from "../../../src/agent/claude/line.ts";
import { WholeLine } from "../../../src/agent/claude/line-content.ts";
import { readLine } from "../../../src/agent/claude/read-line.ts";
import { ToolQuestions } from "../../../src/agent/claude/tool-questions.ts";
import { textEvent } from "../../../src/agent/events.ts";
import { IdleEvents } from "../../../src/agent/idle-events.ts";
import { LeftEvents } from "../../../src/agent/left-events.ts";

const MIB = 1024 * 1024;

const aText = (bytes: number) =>
  textEvent("x".repeat(bytes), { messageId: "msg_1", parentToolId: "toolu_1" });
const lost = (events: readonly EventKind[]) =>
  events.flatMap(({ case: kind, value }) => (kind === "notice" ? [value.message] : []));

describe("what a process prints between turns", () => {
  it("is kept up to 4 MiB of events, and the next turn is told how many were not", () => {
    const memory = new AgentMemory(32 * MIB);
    const { idle: share } = memory.process();
    const idle = new IdleEvents(share);
    idle.keep([aText(MIB), aText(20 * MIB), aText(2 * MIB), aText(2 * MIB)]);
    expect(idle.isFull).toBe(true);
    expect(share.taken).toBeLessThan(4 * MIB);
    const events = idle.drain();
    expect(events.map(({ case: kind }) => kind)).toEqual(["text", "text", "notice"]);
    expect(lost(events)[0]).toMatch(/lost: 2$/);
    expect([share.taken, idle.isFull, idle.drain()]).toEqual([0, false, []]);
  });

  it("is no more than 32 MiB of all processes together, and is given back with each", () => {
    const memory = new AgentMemory(32 * MIB);
    const processes = Array.from({ length: 40 }, () => memory.process());
    for (const { idle } of processes) new IdleEvents(idle).keep([aText(3 * MIB)]);
    expect(memory.taken).toBeGreaterThan(24 * MIB);
    expect(memory.taken).toBeLessThanOrEqual(32 * MIB);
    for (const each of processes) each.close();
    expect(memory.taken).toBe(0);
  });

  it("is none that waits for an answer: no other turn could give it", () => {
    const idle = new IdleEvents(new AgentMemory(MIB).process().idle);
    const value = { approvalId: "a" } as Extract<EventKind, { case: "approvalRequest" }>["value"];
    idle.keep([{ case: "approvalRequest", value }]);
    expect(idle.drain()).toEqual([]);
  });
});

describe("what sessions were not told whose process has ended", () => {
  it("is 16 MiB of all of them, and of the others how much it was", () => {
    const memory = new AgentMemory(32 * MIB);
    const left = new LeftEvents(memory.left);
    for (let n = 0; n < 10; n++) left.keep(`session-${n}`, [aText(3 * MIB)]);
    expect(memory.taken).toBeLessThanOrEqual(16 * MIB);
    expect(left.drain("session-0").map(({ case: kind }) => kind)).toEqual(["text"]);
    expect(lost(left.drain("session-9"))[0]).toMatch(/lost: 1$/);
    expect(left.drain("session-9")).toEqual([]);
  });
});

describe("a task in the background", () => {
  it("is not remembered by what is longer than an id", () => {
    const tasks = new BackgroundTasks();
    const started = { type: "system", subtype: "task_started" };
    for (const task_id of ["b1", "x".repeat(201)])
      tasks.note({ ...started, task_id } as Message, "t");
    expect(tasks.size).toBe(1);
  });
});

describe("a line of very many values", () => {
  // An object, a list and a comma between fields are values too.
  const list = (items: string) => `{"type":"user","n":[${items}]}`;

  it.each([
    ["many arrays", list(`${"[],".repeat(MAX_VALUES)}1`), 1],
    ["a long text of brackets", list(`"${"[],{".repeat(MAX_VALUES)}"`), 0],
    ["a long text of quotes", list(`"${String.raw`\",[`.repeat(MAX_VALUES)}"`), 0],
    ["as many as are taken", list(`${"1,".repeat(MAX_VALUES - 3)}1`), 0],
    ["one more", list(`${"1,".repeat(MAX_VALUES - 2)}1`), 1],
  ])("is known by its bytes: %s", (_what, line, expected) => {
    const refused: string[] = [];
    const bytes = Buffer.from(line);
    readLine(bytes, { message() {}, malformed() {}, refused: (_, cause) => refused.push(cause) });
    expect(refused).toEqual(Array(expected).fill("values"));
  });
});

describe("tool calls that wait for an approval", () => {
  function questioner() {
    const written: string[] = [];
    const memory = new AgentMemory(32 * MIB).process();
    const write = (line: string) => void written.push(line);
    const conversation = { mode: PermissionMode.ASK, write, reply: write, memory };
    return { written, memory, questions: new ToolQuestions(conversation) };
  }

  function ask(questions: ToolQuestions, request_id: string, command: string) {
    const request = { subtype: "can_use_tool", tool_name: "Bash", input: { command } };
    const message = { type: "control_request", request_id, request };
    const events: EventKind[] = [];
    questions.ask(message, new WholeLine(JSON.stringify(message)), events);
    return events;
  }

  it("hold at most 8 MiB for a process; what is more is denied, and said to be", () => {
    const { questions, written, memory } = questioner();
    const asked = [1, 2, 3].map((n) => ask(questions, `r${n}`, "x".repeat(3 * MIB)));
    expect(asked.map(([event]) => event?.case)).toEqual([
      ...["approvalRequest", "approvalRequest", "notice"],
    ]);
    expect(asked[2]).toMatchObject([{ value: { reason: NoticeReason.PERMISSION_DENIED } }]);
    expect(written).toHaveLength(1);
    expect(memory.questions.taken).toBeLessThan(8 * MIB);
    questions.close([]);
    expect(memory.questions.taken).toBe(0);
  });

  it("are denied where their turn is given up before it was recorded", () => {
    const { questions, written } = questioner();
    ask(questions, "r1", "ls");
    questions.refuseAll();
    expect(JSON.parse(written[0]!).response).toMatchObject({
      request_id: "r1",
      response: { behavior: "deny" },
    });
    expect(questions.isEmpty).toBe(true);
  });

  it("are not asked about under what is no id", () => {
    const { questions, written } = questioner();
    expect(ask(questions, "r".repeat(201), "ls")).toEqual([]);
    expect(written).toEqual([]);
  });
});
