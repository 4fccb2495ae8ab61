import { describe, expect, it } from "vitest";
import { ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { result } from "../../../src/agent/claude/messages.ts";
import { roleOfResult, type TurnSoFar } from "../../../src/agent/claude/result-role.ts";
import { SentMessages } from "../../../src/agent/claude/sent-messages.ts";
import { script } from "../../support/gate.ts";
import { eventually } from "../../support/processes.ts";
import { createWarmAgent, finish } from "./warm-agent.ts";

/** Whose a result is in a turn whose prompt was sent, and taken up or not. */
function role(fields: object, isTakenUp: boolean, more: Partial<TurnSoFar> = {}) {
  const sent = new SentMessages(true);
  sent.beginPrompt();
  if (isTakenUp) sent.takenUp(sent.promptUuid);
  const own = (uuids: string[]) => uuids.map((uuid) => (uuid === "own" ? sent.promptUuid : uuid));
  const { user_message_uuids = undefined, ...rest } = fields as { user_message_uuids?: string[] };
  const answered = user_message_uuids && { user_message_uuids: own(user_message_uuids) };
  const parsed = result.parse({ type: "result", subtype: "success", ...rest, ...answered });
  const so = { isInterrupting: false, echoes: true, hasAnswered: false, metTask: false, ...more };
  return roleOfResult(parsed, { sent, ...so });
}

const origin = { kind: "task-notification" };

describe("a result is the turn's end", () => {
  it.each([
    ["where it answers the prompt", { user_message_uuids: ["own"] }, false],
    [
      "where it answers the prompt among others",
      { user_message_uuids: ["x", "own"], origin },
      false,
    ],
    ["behind the prompt's echo", { result: "" }, true],
    [
      "behind the prompt's echo with words, of a task's turn that the prompt joined",
      { origin, result: "both" },
      true,
    ],
  ])("%s", (_, fields, isTakenUp) => {
    expect(role(fields, isTakenUp)).toBe("end");
  });

  it("where the process tells of nothing that it takes up", () => {
    expect(role({ result: "x" }, false, { echoes: false })).toBe("end");
  });

  it("where it answers messages that nobody is known to have sent", () => {
    expect(role({ user_message_uuids: ["x"] }, false, { echoes: false })).toBe("end");
  });

  it("where the agent has answered, whatever it follows up", () => {
    expect(role({ origin, result: "" }, true, { hasAnswered: true })).toBe("end");
  });
});

describe("a result is another's", () => {
  it.each([
    ["that answers other messages", { user_message_uuids: ["x"], result: "words" }, true],
    ["that follows up a task, in front of the prompt's echo", { origin, result: "own" }, false],
    [
      "that does not say what it follows up, in front of the prompt's echo",
      { result: "own" },
      false,
    ],
    [
      "that failed, in front of the prompt's echo",
      { subtype: "error_during_execution", is_error: true, errors: ["x"] },
      false,
    ],
    [
      "that follows up a task and says nothing, behind the prompt's echo",
      { origin, result: "" },
      true,
    ],
  ])("%s", (_, fields, isTakenUp) => {
    expect(role(fields, isTakenUp)).toBe("more");
  });
});

describe("a result that does not say what it follows up, behind the prompt's echo, where a task has ended", () => {
  it.each([
    ["is the task's where it says nothing", { result: "" }, false, "more"],
    ["is the turn's end where it has words", { result: "both" }, false, "end"],
    ["is the turn's end where the agent has answered", { result: "" }, true, "end"],
    ["is the turn's end where it failed", { subtype: "error_max_turns" }, false, "end"],
  ])("%s", (_, fields, hasAnswered, expected) => {
    expect(role(fields, true, { hasAnswered, metTask: true })).toBe(expected);
  });
});

describe("a process that exits on an interrupt", () => {
  it.each([
    [130, ErrorReason.CANCELED],
    [3, ErrorReason.AGENT_EXITED],
  ])("with the status %i", async (status, reason) => {
    await using warm = await createWarmAgent();
    const run = warm.agent.start(warm.newTurn(script("say one", `exit-interrupted ${status}`)));
    await eventually(() => run.waitsForModel, Boolean);
    run.interrupt();
    const events = await finish(run);
    expect(events.at(-1)).toMatchObject({ case: "error", value: { reason } });
  });
});
