import { type WatchTurnsResponse, WatchTurnsResponseSchema } from "@breakglass/client";
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";

/** Of what has ended, and of what was decided, so much is kept. */
const KEPT_OVER = 500;

/** What is told of one thing, and when it came. */
interface Told {
  readonly message: WatchTurnsResponse;
  readonly timeMs: number;
}

/**
 * What a watch has told so far, without what is not so any more: a window that opens later is told it, and the browser keeps it for when the
 * server is away.
 *
 * 1. Of each turn the last message, of each approval what was asked and what was decided, in the order in which each was told of first.
 * 2. `cursor` is the greatest that was seen.
 */
export class WatchState {
  readonly #told = new Map<string, Told>();
  cursor = 0n;
  isCaughtUp = false;

  /** Takes what came. Answers whether it was new: else it was told before. */
  take(message: WatchTurnsResponse): boolean {
    const isNew = message.cursor > this.cursor;
    const isFirstCatchUp = message.caughtUp && !this.isCaughtUp;
    if (isNew) this.cursor = message.cursor;
    this.isCaughtUp ||= message.caughtUp;
    if (message.change.case === undefined) return isNew || isFirstCatchUp || !message.caughtUp;
    if (!isNew && !isFirstCatchUp) return false;
    this.keep(message);
    return true;
  }

  /** Keeps what was told, whenever that was. @param timeMs - When it came. */
  keep(message: WatchTurnsResponse, timeMs = Date.now()): void {
    const key = keyOf(message);
    if (key === undefined) return;
    this.#told.set(key, { message, timeMs });
    if (isOver(message)) this.#prune();
  }

  /** All of it. What an approval has left of its time is as of now. */
  messages(): WatchTurnsResponse[] {
    return [...this.#told.values()].map(asOfNow);
  }

  #prune(): void {
    const over = [...this.#told].filter(([, { message }]) => isOver(message));
    for (const [key] of over.slice(0, -KEPT_OVER)) this.#told.delete(key);
  }
}

export function encoded(message: WatchTurnsResponse): Uint8Array<ArrayBuffer> {
  return toBinary(WatchTurnsResponseSchema, message) as Uint8Array<ArrayBuffer>;
}

export function decoded(bytes: Uint8Array): WatchTurnsResponse {
  return fromBinary(WatchTurnsResponseSchema, bytes);
}

/** Says that all there was has been told, up to a cursor. */
export function caughtUpAt(cursor: bigint): WatchTurnsResponse {
  return create(WatchTurnsResponseSchema, { cursor, caughtUp: true });
}

function keyOf({ change }: WatchTurnsResponse): string | undefined {
  switch (change.case) {
    case "turnStarted":
    case "turnChanged":
    case "turnEnded":
      return `turn ${change.value.turnId}`;
    case "approvalRequested": {
      const kind = change.value.event?.kind;
      return kind?.case === "approvalRequest" ? `asked ${kind.value.approvalId}` : undefined;
    }
    case "approvalResolved": {
      const { kind } = change.value;
      return kind.case === "approvalResolution" ? `decided ${kind.value.approvalId}` : undefined;
    }
    default:
      return undefined;
  }
}

function isOver({ change }: WatchTurnsResponse): boolean {
  return change.case === "turnEnded" || change.case === "approvalResolved";
}

function asOfNow({ message, timeMs }: Told): WatchTurnsResponse {
  if (message.change.case !== "approvalRequested") return message;
  const copy = clone(WatchTurnsResponseSchema, message);
  if (copy.change.case !== "approvalRequested" || !copy.change.value.remaining) return message;
  const leftMs = durationMs(copy.change.value.remaining) - (Date.now() - timeMs);
  copy.change.value.remaining = durationFromMs(Math.max(0, leftMs));
  return copy;
}
