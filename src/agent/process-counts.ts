/** How many processes of agents there are, by what they do. */
export interface ProcessCounts {
  /** In a turn, at what the agent began by itself, or ending. */
  readonly working: number;
  /** Kept for their sessions' next turns. */
  readonly warm: number;
  /** Waiting for new sessions. */
  readonly spare: number;
}

export const NO_PROCESSES: ProcessCounts = { working: 0, warm: 0, spare: 0 };

/** All of them together. */
export function sumOfProcesses(counts: readonly ProcessCounts[]): ProcessCounts {
  return counts.reduce(
    (sum, { working, warm, spare }) => ({
      working: sum.working + working,
      warm: sum.warm + warm,
      spare: sum.spare + spare,
    }),
    NO_PROCESSES,
  );
}
