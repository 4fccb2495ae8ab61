/** How many of an agent's first ticks do not count: the agents beside it are still being started. */
const WARM_UP = 20;

/** Collects how old the ticks of one agent are when they arrive, in milliseconds. */
export class TickAges {
  readonly #into: number[];
  #seen = 0;

  constructor(into: number[]) {
    this.#into = into;
  }

  /** Takes what the agent said: CLOCK_MONOTONIC, in microseconds, which is Node's clock too. */
  take(text: string): void {
    const age = Number(process.hrtime.bigint()) / 1e6 - Number(text) / 1e3;
    this.#seen++;
    if (this.#seen > WARM_UP) this.#into.push(age);
  }
}

/** Answers with the ages and ends the program. */
export function answerAges(ages: readonly number[]): void {
  process.stdout.write(`${JSON.stringify(ages.map((age) => Number(age.toFixed(4))))}\n`);
}
