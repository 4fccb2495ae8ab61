import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { TurnPlace } from "../store/lists.ts";
import type { TurnRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import type { TurnView } from "../store/views.ts";
import { decodeEvent } from "./encoded-event.ts";
import { RunningTurn } from "./running-turn.ts";
import type { UnendedTurns } from "./unended-turns.ts";

/** A tool call that waits for an approval. */
export interface PendingApproval {
  /** What asks, as it is on record. */
  readonly event: TurnEvent;
  /** The turn that it is asked in. */
  readonly turn: TurnRecord;
}

/** Where a list of them goes on. */
export interface ApprovalPlace {
  /** The turn before the one that it goes on in. Undefined: it goes on in the first. */
  readonly after: TurnPlace | undefined;
  /** The turn of which some are told. */
  readonly turnId: string;
  /** Those up to here. */
  readonly sequence: number;
}

/** A part of a list of them. */
export interface ApprovalPage {
  readonly items: readonly PendingApproval[];
  /** Undefined: there are no more. */
  readonly next: ApprovalPlace | undefined;
}

/** Below the 3 MiB of a response: one request may take as much as an event. */
const PAGE_BYTES = 1_000_000;
const READ_BYTES = 256 * 1024;
const WAITING = { states: [TurnState.AWAITING_APPROVAL], since: undefined };

/**
 * What waits for an approval in the turns that somebody may see, of the newest turn first.
 *
 * What was decided meanwhile is left out; a page may be short for it, or empty.
 */
export async function listPendingApprovals(
  { store, unended }: { readonly store: Store; readonly unended: UnendedTurns },
  view: TurnView,
  pageSize: number,
  from: ApprovalPlace | undefined,
): Promise<ApprovalPage> {
  const items: PendingApproval[] = [];
  let [after, bytes] = [from?.after, 0];
  for (;;) {
    const page = await store.listAllTurns(view, WAITING, pageSize, after);
    for (const turn of page.items) {
      const told = turn.turnId === from?.turnId ? from.sequence : 0;
      for (const sequence of await pendingOf(turn, store, unended)) {
        if (sequence <= told) continue;
        const [bytesOfEvent] = await store.readEvents(turn.turnId, sequence - 1, 1);
        if (bytesOfEvent === undefined) continue;
        const last = items.at(-1);
        if (last !== undefined && (items.length >= pageSize || bytes > PAGE_BYTES)) {
          const isSame = last.turn.turnId === turn.turnId;
          const [turnId, sequence] = isSame ? [turn.turnId, last.event.sequence] : ["", 0];
          return { items, next: { after, turnId, sequence } };
        }
        items.push({ event: decodeEvent(bytesOfEvent), turn });
        bytes += bytesOfEvent.length;
      }
      after = { createTime: turn.createTime, turnId: turn.turnId };
    }
    if (page.next === undefined) return { items, next: undefined };
  }
}

/** The sequences of the events that ask: of a turn that runs here as it knows them, of another as its log has them. */
async function pendingOf(
  { turnId }: TurnRecord,
  store: Store,
  unended: UnendedTurns,
): Promise<number[]> {
  const live = unended.get(turnId);
  if (live instanceof RunningTurn) return live.pendingApprovals;
  const asked = new Map<string, number>();
  for (let after = 0; ; ) {
    const events = await store.readEvents(turnId, after, READ_BYTES);
    if (events.length === 0) return [...asked.values()];
    for (const { kind, sequence } of events.map(decodeEvent)) {
      if (kind.case === "approvalRequest") asked.set(kind.value.approvalId, sequence);
      if (kind.case === "approvalResolution") asked.delete(kind.value.approvalId);
    }
    after += events.length;
  }
}
