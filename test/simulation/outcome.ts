/** What came of a simulation. */
export interface Outcome {
  readonly seed: number;
  readonly replicas: number;
  readonly steps: number;
  readonly turns: number;
  /** How many events were acknowledged. */
  readonly acknowledged: number;
  /** When what is not as it must be, in words. Undefined: nothing. */
  readonly violation: string | undefined;
  /** What happened last. */
  readonly told: readonly string[];
}

/** Says in words what came of a simulation, and how it is had again. */
export function reported({ seed, replicas, violation, told }: Outcome): string {
  const head = `seed ${seed}, ${replicas} replicas: ${violation ?? "all is as it must be"}`;
  const lines = told.map((line) => `  ${line}`);
  return [head, ...lines, `again: npm run simulation -- --seed ${seed}`].join("\n");
}
