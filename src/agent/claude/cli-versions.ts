/** What one version of the CLI does and another does not, as far as the adapter has to know. */
export interface CliTraits {
  /** `background_tasks_changed` lists all tasks that run in the background. Without: each start and end is counted. */
  readonly listsTasks: boolean;
  /** A result says what was spent since the one before it. Without: the process's total, of which the last one is taken. */
  readonly spendingSinceResult: boolean;
  /** `command_lifecycle` tells when a message is queued, taken and done. Without: its echo tells when it is taken. */
  readonly messageLifecycle: boolean;
  /** SIGTERM ends the command in the foreground too. Without: the stop ladder looks for what was left. */
  readonly terminatesCommand: boolean;
}

/** The versions that were measured, oldest first; the tests hold those that are installed against their programs. */
export const CLI_VERSIONS: Readonly<Record<string, CliTraits>> = {
  "2.1.197": {
    listsTasks: false,
    spendingSinceResult: false,
    messageLifecycle: false,
    terminatesCommand: false,
  },
  "2.1.330": {
    listsTasks: true,
    spendingSinceResult: true,
    messageLifecycle: true,
    terminatesCommand: true,
  },
  "2.1.332": {
    listsTasks: true,
    spendingSinceResult: true,
    messageLifecycle: true,
    terminatesCommand: true,
  },
};

const OLDEST = CLI_VERSIONS["2.1.197"]!;

/** The traits of a version: of the newest measured one that is not newer, else of the oldest. */
export function traitsOf(version: string): CliTraits {
  const known = Object.entries(CLI_VERSIONS).findLast(([name]) => compare(name, version) <= 0);
  return known?.[1] ?? OLDEST;
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/).map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left![i] || 0) - (right![i] || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
