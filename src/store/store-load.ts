/** Measurements, counted by how large they were. */
export interface Distribution {
  /** The upper bounds of the counts, the least first; one count more has what is beyond all. */
  readonly bounds: readonly number[];
  /** How many were above the bound before and not above this one. */
  readonly counts: readonly number[];
  /** All measurements together. */
  readonly sum: number;
}

/** What a store has to do, and how long it takes over it. */
export interface StoreLoad {
  /** Calls that it has not answered yet. */
  readonly waitingCalls: number;
  /** How long commits took, from their first statement until they were on disk. */
  readonly commitSeconds: Distribution;
  /** How many calls shared a commit. */
  readonly commitCalls: Distribution;
}
