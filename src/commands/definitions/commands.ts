import type { Command } from "commander";
import { COMMAND_SECTION } from "../../config/settings/sections.ts";
import type { ExitStatus } from "../exit-status.ts";
import { settingsHelp } from "../settings-help.ts";

/** Runs a command; what it ends with is what the process does. */
export type Run = (command: () => Promise<ExitStatus>) => Promise<void>;

/** Adds a command that talks to a server: its name and its arguments, `attach <turn>`. */
export function serverCommand(program: Command, usage: string, description: string): Command {
  return program
    .command(usage)
    .description(description)
    .option("--url <url>", "the server (default: BREAKGLASS_URL)")
    .configureHelp(settingsHelp([COMMAND_SECTION]));
}

/** What stands below the help of a command whose keys or exit statuses are its own. */
export const KEYS_OF_RUN = `
Keys, on a terminal:
  Ctrl-C     interrupts the turn; the second cancels it; the third only leaves
  Ctrl-\\     leaves: the turn goes on
  a, d, e    allow, deny or edit the tool call that waits for an approval`;

/** As {@link KEYS_OF_RUN}. */
export const KEYS_OF_ATTACH = `
Keys, on a terminal:
  Ctrl-C     leaves: the turn goes on; a second one within 2 s cancels it
  Ctrl-\\     leaves
  a, d, e    allow, deny or edit the tool call that waits for an approval`;

/** How the commands end that follow a turn. */
export const STATUSES_OF_A_TURN = `
Exit status:
  0    the turn succeeded
  1    it failed, was canceled or is lost
  2    a mistake in the command or a setting
  3    the server could not be reached, did not answer, or refused
  4    it succeeded, but tool calls were denied
  130  you left: the turn goes on`;

/** How every command ends. */
export const STATUSES = `
Exit status:
  0    done; of a turn that was followed: it succeeded
  1    the turn failed, was canceled or is lost
  2    a mistake in the command or a setting
  3    the server could not be reached, did not answer, or refused
  4    the turn succeeded, but tool calls were denied
  70   serve ended by a defect of its own
  75   serve was taken for gone by other servers: start it again
  130  you left: the turn goes on`;
