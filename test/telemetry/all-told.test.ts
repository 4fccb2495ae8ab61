import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { type Happenings, NOBODY_TOLD, type TurnHappenings } from "../../src/happenings.ts";
import { createLog } from "../../src/log.ts";
import type { TurnRecord } from "../../src/store/records.ts";
import type { TurnEndRecord } from "../../src/store/writes.ts";
import { allTold } from "../../src/telemetry/all-told.ts";

const TURN = {} as TurnRecord;
const END = { state: TurnState.SUCCEEDED } as TurnEndRecord;

/** A listener that fails whatever it is told, after its beginning where that is to go well. */
function failing(beginsWell: boolean): Happenings {
  const fail = () => {
    throw new Error("a listener failed");
  };
  const all = {
    started: fail,
    wrote: fail,
    appended: fail,
    approval: fail,
    ended: fail,
    over: fail,
  };
  const turn: TurnHappenings = { trace: undefined, ...all };
  return {
    turnAccepted: beginsWell ? () => turn : fail,
    leftTurnEnded: fail,
    requestRefused: fail,
  };
}

describe.each([true, false])("a listener that fails (and began well: %s)", (beginsWell) => {
  it("keeps nobody else from being told, and is told of once", () => {
    const heard: string[] = [];
    const lines: string[] = [];
    const other: Happenings = {
      ...NOBODY_TOLD,
      turnAccepted: (...accepted) => ({
        ...NOBODY_TOLD.turnAccepted(...accepted),
        started: () => void heard.push("started"),
        ended: () => void heard.push("ended"),
        over: () => void heard.push("over"),
      }),
      requestRefused: (reason) => void heard.push(reason),
    };
    const log = createLog((line) => void lines.push(line));
    const told = allTold([failing(beginsWell), other], log);
    const turn = told.turnAccepted(TURN, "claude", undefined);
    turn.started();
    turn.appended([]);
    turn.ended(END);
    turn.over();
    told.requestRefused("NOT_FOUND");
    expect(heard).toEqual(["started", "ended", "over", "NOT_FOUND"]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("a listener failed");
  });
});
