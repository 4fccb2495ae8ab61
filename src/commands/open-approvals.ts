import { timestampMs } from "@bufbuild/protobuf/wkt";
import { isLive } from "#client/turn-state";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { OpenApproval } from "./approval-text.ts";
import { isTime } from "./time-text.ts";

/**
 * What waits for an answer in a turn, as far as it was read.
 *
 * While what happened before is read again nothing is open: whatever is asked there may have been answered since, and only
 * when the stream has caught up is it known what was not.
 */
export class OpenApprovals {
  readonly #asked = new Map<string, Omit<OpenApproval, "leftMs">>();
  #isReplay = true;

  /** The connection was lost: what follows on the next one is read again. */
  lost(): void {
    this.#isReplay = true;
  }

  /** Takes note of an event. Answers what is open from now on and was not before. */
  next(event: TurnEvent): OpenApproval[] {
    const { kind } = event;
    switch (kind.case) {
      case "approvalRequest": {
        const asked = { event, request: kind.value };
        this.#asked.set(kind.value.approvalId, asked);
        return this.#isReplay ? [] : [openAt(asked, event)];
      }
      case "approvalResolution":
        this.#asked.delete(kind.value.approvalId);
        return [];
      case "result":
      case "error":
        this.#asked.clear();
        return [];
      case "checkpoint":
        if (!isLive(kind.value.state)) this.#asked.clear();
        if (!kind.value.caughtUp || !this.#isReplay) return [];
        this.#isReplay = false;
        return Array.from(this.#asked.values(), (asked) => openAt(asked, event));
      default:
        return [];
    }
  }

  /** Whether an event asks for what is open from then on. */
  isOpenAtOnce({ kind }: TurnEvent): boolean {
    return kind.case === "approvalRequest" && !this.#isReplay;
  }

  /** Whether it waits for an answer. */
  has(approvalId: string): boolean {
    return this.#asked.has(approvalId);
  }
}

/** Both times are the server's: this machine's clock may be another. */
function openAt(asked: Omit<OpenApproval, "leftMs">, { createTime: now }: TurnEvent): OpenApproval {
  const { expireTime } = asked.request;
  const areTimes =
    now !== undefined && expireTime !== undefined && isTime(now) && isTime(expireTime);
  return { ...asked, leftMs: areTimes ? timestampMs(expireTime) - timestampMs(now) : undefined };
}
