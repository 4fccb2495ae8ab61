/** How many of an agent's first and last ticks do not count: others are still being started then, or ended. */
const UNSETTLED = 40;

/** How old the ticks of one agent are when they arrive, in milliseconds. */
export class TickAges {
  readonly #ages: number[] = [];

  /** Takes what the agent said: CLOCK_MONOTONIC, in microseconds, which is Node's clock too. */
  take(text: string): void {
    this.#ages.push(Number(process.hrtime.bigint()) / 1e6 - Number(text) / 1e3);
  }

  /** The ages of the ticks while all agents ran. */
  get settled(): number[] {
    return this.#ages.slice(UNSETTLED, -UNSETTLED);
  }
}

/** Prints ages as the program's answer. */
export function answerAges(ages: readonly number[]): void {
  process.stdout.write(`${JSON.stringify(ages.map((age) => Number(age.toFixed(4))))}\n`);
}
