/** What the operator has to mend before a command can start. Each problem is one line, and so is the message of one. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(...problems: readonly [string, ...string[]]) {
    super(problems.join("\n"));
    this.problems = problems;
  }

  /** @throws ConfigError where there are any. */
  static throwIfAny(problems: readonly string[]): void {
    const [first, ...more] = problems;
    if (first !== undefined) throw new ConfigError(first, ...more);
  }
}
