import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { LeftTurn as LeftTurnRecord } from "../store/records.ts";
import { terminalOf } from "./end-causes.ts";
import type { LiveTurn } from "./live-turn.ts";
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
  constructor(left: LeftTurnRecord, parts: Pick<TurnSurroundings, "store" | "log" | "audit">) {
    this.turnId = left.turnId;
    this.sessionKey = left.sessionKey;
    const { epoch } = parts.store.lease;
    this.log = new TurnLog({ ...left, epoch, state: TurnState.RUNNING }, parts);
    const terminal = terminalOf({ case: "restart", wasQueued: left.wasQueued });
    const audit = this.log.auditOf([terminal]);
    this.log.append(this.log.encode([terminal]), { terminal, audit });
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
