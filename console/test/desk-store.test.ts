import {
  TurnSchema,
  TurnState,
  type WatchTurnsResponse,
  WatchTurnsResponseSchema,
} from "@breakglass/client";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Desk } from "../src/desk/desk.svelte.ts";
import type { Account } from "../src/server/account.svelte.ts";

function news(init: MessageInitShape<typeof WatchTurnsResponseSchema>): WatchTurnsResponse {
  return create(WatchTurnsResponseSchema, init);
}
const turn = (turnId: string, state: TurnState) => create(TurnSchema, { turnId, state });
const asked = (approvalId: string, turnId: string, mayResolve = true) =>
  news({
    change: {
      case: "approvalRequested",
      value: {
        mayResolve,
        event: { turnId, kind: { case: "approvalRequest", value: { approvalId } } },
      },
    },
  });
const decided = (approvalId: string, turnId: string) =>
  news({
    change: {
      case: "approvalResolved",
      value: { turnId, kind: { case: "approvalResolution", value: { approvalId } } },
    },
  });
const ended = (turnId: string) =>
  news({ change: { case: "turnEnded", value: turn(turnId, TurnState.SUCCEEDED) } });

function newDesk(): Desk {
  return new Desk({} as Account);
}

describe("the desk", () => {
  it("counts what waits for whoever looks, and nothing else", () => {
    const desk = newDesk();
    for (const one of [asked("a", "1"), asked("b", "1"), asked("c", "2", false)]) desk.take(one);
    expect(desk.waitingForMe).toBe(2);
    expect(desk.approvals).toHaveLength(3);
    desk.take(decided("a", "1"));
    expect(desk.waitingForMe).toBe(1);
    expect(desk.queue.get("a")?.resolution).toBeDefined();
    desk.take(ended("1"));
    expect(desk.waitingForMe).toBe(0);
  });

  it("does not ask again for what was decided", () => {
    const desk = newDesk();
    for (const one of [asked("a", "1"), decided("a", "1"), asked("a", "1")]) desk.take(one);
    expect(desk.waitingForMe).toBe(0);
  });

  it("tells listeners what is new, and not what there was", () => {
    const desk = newDesk();
    const heard: unknown[] = [];
    const unlisten = desk.listen(({ case: name }) => heard.push(name));
    desk.take(asked("a", "1"));
    desk.take(news({ caughtUp: true }));
    desk.take(asked("b", "1"));
    unlisten();
    desk.take(ended("1"));
    expect(heard).toEqual(["approvalRequested"]);
  });

  it("keeps so many of those that ended, and all that have not", () => {
    const desk = newDesk();
    desk.take(news({ change: { case: "turnStarted", value: turn("live", TurnState.RUNNING) } }));
    for (let n = 0; n < 1010; n += 1) desk.take(ended(`ended-${n}`));
    expect(desk.turns.size).toBe(1001);
    expect(desk.turns.has("live")).toBe(true);
    expect(desk.turns.has("ended-9")).toBe(false);
    expect(desk.turns.has("ended-1009")).toBe(true);
  });
});
