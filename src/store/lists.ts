import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { SessionRecord, TurnRecord } from "./records.ts";
import type { SessionName, Share } from "./views.ts";

/** A part of a list, and how to ask for the next. */
export interface Page<T, K> {
  readonly items: readonly T[];
  /** The place after the last item; undefined: there are no more. */
  readonly next: K | undefined;
}

/** Which turns of a list are asked for. */
export interface TurnFilter {
  /** The states that they are in. Empty: any. */
  readonly states: readonly TurnState[];
  /** When they were recorded, at the earliest. Undefined: ever. */
  readonly since: number | undefined;
  /** Before when they were recorded. Undefined: ever. */
  readonly until?: number | undefined;
  /** Who runs them. Undefined: anybody. */
  readonly principal?: string | undefined;
  /** Who began them. Undefined: anybody. */
  readonly origin?: TurnOrigin | undefined;
  /** What is in the beginning of their prompts, as `hasText` has it. Undefined: anything. */
  readonly query?: string | undefined;
}

/** A turn's place in the list of all turns. */
export interface TurnPlace {
  readonly createTime: number;
  readonly turnId: string;
  /** Of a list of turns with a text, which is in the order of this: by the time, and of one moment as they were recorded. */
  readonly searchKey?: number | undefined;
}

/** A session as it is listed, and the newest of its turns that are on record. */
export interface ListedSession extends SessionRecord {
  /** Undefined: it has none. The prompt is cut to 256 bytes. */
  readonly lastTurn: Pick<TurnRecord, "turnId" | "state" | "prompt"> | undefined;
  /** All of them, whoever looks. */
  readonly shares: readonly Share[];
}

/** A session's place in a list of sessions. */
export interface SessionPlace extends SessionName {
  readonly lastActiveTime: number;
}
