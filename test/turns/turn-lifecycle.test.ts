import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ErrorEventSchema,
  ErrorReason,
  ResultEventSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnLifecycle } from "../../src/turns/turn-lifecycle.ts";
import { DrivenRun } from "./driven-agent.ts";

const result = () => ({ case: "result" as const, value: create(ResultEventSchema) });
const canceled = () => ({
  case: "error" as const,
  value: create(ErrorEventSchema, { reason: ErrorReason.CANCELED, message: "stopped" }),
});

describe("a turn that waits", () => {
  it("hands over what it was steered by when it begins, in order", () => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    expect([turn.steer("one"), turn.steer("two")]).toEqual([true, true]);
    expect(turn.answer("a", { allow: true })).toBe(false);
    turn.begin(run);
    expect(turn.phase).toEqual({ is: "running", run });
    expect(run.steered).toEqual(["one", "two"]);
  });

  it("ends where it is interrupted, and begins no more", () => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    turn.interrupt("prompt");
    expect(turn.isEnding).toBe(true);
    expect(turn.phase).toEqual({
      ...{ is: "ending", run: undefined },
      cause: { case: "interruptBeforeRun", by: "prompt" },
    });
    expect(() => turn.begin(run)).toThrow("a turn that is ending begins");
    expect(turn.steer("late")).toBe(false);
  });
});

describe("a turn that runs", () => {
  it("hands its agent messages, answers and interrupts, and is not ending by them", () => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    turn.begin(run);
    expect(turn.steer("go on")).toBe(true);
    expect(turn.answer("a", { allow: true })).toBe(true);
    turn.interrupt("prompt");
    turn.interrupt("caller");
    expect(run).toMatchObject({ steered: ["go on"], answers: [["a", { allow: true }]] });
    expect(run.interrupts).toBe(2);
    expect(turn.isEnding).toBe(false);
    expect(() => turn.begin(run)).toThrow("a turn that is running begins");
  });

  it("takes no message that its agent does not take", () => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    turn.begin(run);
    run.leave();
    expect(turn.steer("too late")).toBe(false);
  });

  it("was interrupted by whoever asked first", () => {
    const turn = new TurnLifecycle();
    turn.begin(new DrivenRun());
    turn.interrupt("prompt");
    turn.interrupt("caller");
    const terminal = canceled();
    turn.nameInterrupter(terminal);
    expect(terminal.value.message).toBe("interrupted for a prompt that waited");
    turn.nameInterrupter(undefined);
  });
});

describe("a turn that ends", () => {
  it.each([
    ["has its run stopped by a cause that waits for processes", { case: "cancel" }, true],
    ["leaves its run alone by the agent's own end", { case: "agent", terminal: result() }, false],
  ] as const)("%s", (_what, cause, isStopped) => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    turn.begin(run);
    const { ending } = turn;
    expect(ending.aborted).toBe(false);
    turn.end(cause);
    expect(ending.aborted).toBe(true);
    expect(turn.phase).toEqual({ is: "ending", cause, run });
    expect(run.isOver).toBe(isStopped);
  });

  it("keeps its first cause, until its end is on record and after", () => {
    const [turn, run] = [new TurnLifecycle(), new DrivenRun()];
    turn.begin(run);
    turn.end({ case: "cancel" });
    turn.end({ case: "shutdown" });
    turn.interrupt("caller");
    expect(turn.phase).toMatchObject({ is: "ending", cause: { case: "cancel" } });
    turn.conclude({ case: "cancel" });
    turn.end({ case: "shutdown" });
    turn.interrupt("caller");
    expect(turn.phase).toEqual({ is: "ended", cause: { case: "cancel" } });
    expect([turn.steer("late"), turn.answer("a", { allow: true })]).toEqual([false, false]);
    expect(run).toMatchObject({ interrupts: 0, steered: [], answers: [] });
    const terminal = canceled();
    turn.nameInterrupter(terminal);
    expect(terminal.value.message).toBe("stopped");
  });
});
