/** The kinds of notifications. */
export const NOTIFICATION_KINDS = [
  "approval.requested",
  "approval.resolved",
  "turn.ended",
] as const;

export type NotificationKind = (typeof NOTIFICATION_KINDS)[number];

/** That somebody outside is to be told of an event of a turn. */
export interface Notification {
  readonly kind: NotificationKind;
  /** The event's. */
  readonly sequence: number;
}

/** A notification that was not sent yet. Times are milliseconds since the epoch. */
export interface UntoldNotification extends Notification {
  /** By which the store knows it. No other ever has it. */
  readonly key: number;
  readonly turnId: string;
  /** Whose the turn is. Undefined: the turn is no longer on record, and there is nothing to be told. */
  readonly principal: string | undefined;
  /** When it happened. */
  readonly time: number;
  /** How often it was tried in vain. */
  readonly attempts: number;
}

/** Some of what is yet to be told. */
export interface UntoldPage {
  /** Those that are due, the longest due first. */
  readonly items: readonly UntoldNotification[];
  /** When the next of the others is due. Undefined: there is none. */
  readonly nextTime: number | undefined;
}

/**
 * What is yet to be told outside, of all turns. What is told of is written with the event, in the same commit (`append`).
 *
 * Each server has what it recorded itself to tell: nothing is told by two of them.
 */
export interface Outbox {
  /**
   * What a server has to tell that is due by a time, at most `limit`.
   *
   * @param latest - What is due later than this is due too: a clock was set back meanwhile.
   */
  listUntold(owner: string, time: number, latest: number, limit: number): Promise<UntoldPage>;
  /** Records that it was told, or never will be. Idempotent. */
  recordTold(key: number): Promise<void>;
  /** Records that it was tried in vain, and when it is due again. Nothing where it is no longer there. */
  recordUntold(key: number, dueTime: number): Promise<void>;
  /** Gives up what a server has to tell and happened before a time, at most `limit`, the oldest first. Answers how many. */
  giveUpUntold(owner: string, before: number, limit: number): Promise<number>;
}
