import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { LeftTurn as LeftTurnRecord } from "../store/records.ts";
import type { TurnEndRecord } from "../store/writes.ts";
import { terminalOf } from "./end-causes.ts";
import type { LiveTurn } from "./live-turn.ts";
import { notificationsOf } from "./notifications.ts";
import { TurnLog } from "./turn-log.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";

/** A turn that was running when the lease ended under which it ran: it only waits for its terminal event to be recorded. */
export class LeftTurn implements LiveTurn {
  readonly turnId: string;
  readonly sessionKey: string;
  readonly log: TurnLog;
  readonly textDeltas = undefined;
  /** Resolves when the terminal event is on disk, or is another server's to record. Never rejects. */
  readonly ended: Promise<void>;
  /** Resolves when the store has been asked once, whether it took the event or not. Never rejects. */
  readonly tried: Promise<void>;

  /** Begins to record the end. */
  constructor(
    left: LeftTurnRecord,
    {
      store,
      log,
      happenings,
      audit,
      toldKinds,
      timers,
    }: Pick<TurnSurroundings, "store" | "log" | "audit" | "happenings" | "toldKinds" | "timers">,
  ) {
    this.turnId = left.turnId;
    this.sessionKey = left.sessionKey;
    const { epoch } = store.lease;
    const ended = (end: TurnEndRecord) => happenings.leftTurnEnded(left, end);
    const start = { ...left, epoch, state: TurnState.RUNNING };
    this.log = new TurnLog(start, { store, log, audit, ended, timers });
    const terminal = terminalOf({ case: "restart", wasQueued: left.wasQueued });
    const audited = this.log.auditOf([terminal]);
    const outside = notificationsOf([terminal], this.log.nextSequence, toldKinds);
    this.log.append(this.log.encode([terminal]), {
      terminal,
      notifications: outside,
      audit: audited,
    });
    this.tried = this.log.settled;
    this.ended = this.log.recorded();
  }

  /** It is ending already, whatever the cause. Returns `ended`. */
  end(): Promise<void> {
    return this.ended;
  }

  /** As `end`. */
  interrupt(): Promise<void> {
    return this.ended;
  }
}
