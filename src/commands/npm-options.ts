import type { Command } from "commander";
import { type CalledAs, readCalledAs } from "../config/environment.ts";
import { calledAs } from "./command-form.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Refuses a command whose options npm took for its own, as it does with all that stand behind `npm run breakglass` without a
 * `--` before them: what was asked for would be something else without them.
 *
 * @param given - The arguments that were left.
 * @throws UsageError that names the options and what to write instead.
 */
export function refuseTakenOptions(
  program: Command,
  given: readonly string[],
  called: CalledAs = readCalledAs(),
): void {
  if (called.npmScript !== "breakglass") return;
  const command = innermost(program, given);
  const own = command.options.map(({ long }) => long?.slice(2) ?? "");
  const taken = called.npmTook.filter(
    (option) => own.includes(option) && !given.some((each) => each.startsWith(`--${option}`)),
  );
  if (taken.length === 0) return;
  const named = taken.map((option) => `--${option}`).join(", ");
  throw new UsageError(
    `npm took ${named} for itself: write -- before the command, as in "${calledAs(called)} ${nameOf(command)} …", or call ./breakglass`,
  );
}

/** The command that is called, such as `migrate` of `store`. */
function innermost(program: Command, given: readonly string[]): Command {
  const found = program.commands.find((each) => given.includes(each.name()));
  return found === undefined ? program : innermost(found, given);
}

/** As it is typed. */
function nameOf(command: Command): string {
  const above = command.parent?.parent ? `${nameOf(command.parent)} ` : "";
  return `${above}${command.name()}`;
}
