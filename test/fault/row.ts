/** What a row of the failure matrix found. */
export interface RowOutcome {
  /** How often the fault was brought about. */
  readonly trials: number;
  /**
   * What went wrong, a line each, with what is needed to look into it: what was expected, what was got, where the data
   * is kept. Empty: the promise held in every trial.
   */
  readonly failures: readonly string[];
  /** What was timed, in milliseconds, by what it is; p50 and p99 are reported. */
  readonly timings?: Readonly<Record<string, readonly number[]>>;
  /** What held, but took longer than it may, a line each: a failure, unless the machine is known to be busy. */
  readonly late?: readonly string[];
  /** What was counted or weighed, by what it is and in which unit, such as `events` or `KB a stream`. */
  readonly figures?: Readonly<Record<string, number>>;
  /** Why the fault could not be brought about here; then nothing was shown, and nothing failed. */
  readonly skipped?: string;
}

/** A row of the failure matrix: a fault, brought about by real processes and signals, and what must hold all the same. */
export interface FaultRow {
  /** Short and kebab-case, to be asked for by: `npm run fault -- --only server-kill`. */
  readonly name: string;
  /** What is done, for the table. */
  readonly fault: string;
  /** What must hold, for the table. */
  readonly bar: string;
  /**
   * Brings the fault about.
   *
   * @param trials - How often, at most and as a rule; a row that costs minutes a trial does fewer, one whose unit is the
   * stream or the event takes it for its scale, and `RowOutcome.trials` tells what was done.
   */
  run(trials: number): Promise<RowOutcome>;
}
