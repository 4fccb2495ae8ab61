import { Command, CommanderError } from "commander";
import { type Run, STATUSES } from "./commands/definitions/commands.ts";
import { addRecordCommands } from "./commands/definitions/record-commands.ts";
import { addServiceCommands } from "./commands/definitions/service-commands.ts";
import { addStoreCommands } from "./commands/definitions/store-commands.ts";
import { addTokenCommands } from "./commands/definitions/token-commands.ts";
import { addTurnCommands } from "./commands/definitions/turn-commands.ts";
import { ExitStatus } from "./commands/exit-status.ts";
import { refuseTakenOptions } from "./commands/npm-options.ts";
import { openTerminal } from "./commands/terminal.ts";
import { oneLine, print, terminalText } from "./commands/terminal-text.ts";
import { UsageError } from "./commands/usage-error.ts";
import { ConfigError } from "./config/config-error.ts";
import { readVersion } from "./version.ts";

// Where the flag above is not given, Node would open a debugger's port to whoever sends it.
process.on("SIGUSR1", () => {});

/** What is wrong with a command repeats what it was given. */
const ERROR_CHARACTERS = 4000;

/** The command that completion scripts call; nobody types it, nor the library's own that prints them. */
const COMPLETE = "complete";
const COMPLETION = { completionCommandName: "completion-script" };

const terminal = openTerminal(process.stdout, process.stderr, false);

async function main(): Promise<ExitStatus> {
  let status: ExitStatus = ExitStatus.ok;
  const run: Run = async (command) => {
    status = await command();
  };
  const program = new Command("breakglass")
    .description("Runs an AI agent in a workspace per session, and streams its work.")
    .version(readVersion(), "-V, --version", "print the version")
    .configureOutput({
      outputError: (message) => terminal.tell(oneLine(message, ERROR_CHARACTERS)),
    })
    .addHelpText(
      "after",
      `\nIds may be shortened to a beginning that no other has.\nSettings are BREAKGLASS_… variables: \`breakglass serve --help\` lists them.\n${STATUSES}`,
    )
    .exitOverride();
  addServiceCommands(program, run);
  addTurnCommands(program, run);
  addRecordCommands(program, run);
  addTokenCommands(program, run);
  addStoreCommands(program, run);
  const given = process.argv.slice(2);
  // What completion scripts ask.
  if (given[0] === COMPLETE) {
    const completions = (await import("@bomb.sh/tab/commander")).default(program, COMPLETION);
    completions.commands.delete(COMPLETION.completionCommandName);
  }
  refuseTakenOptions(program, given);
  await program.parseAsync();
  return status;
}

function statusOf(error: unknown): ExitStatus {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? ExitStatus.ok : ExitStatus.usage;
  }
  const message = error instanceof Error ? error.message : String(error);
  const lines = error instanceof ConfigError ? error.problems : [message];
  for (const line of lines) terminal.tell(print`breakglass: ${oneLine(line, ERROR_CHARACTERS)}`);
  return error instanceof ConfigError || error instanceof UsageError
    ? ExitStatus.usage
    : ExitStatus.failed;
}

// A defect: what Node would print of it may have come from a server.
process.on("uncaughtException", (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  terminal.tell(print`breakglass: ${terminalText(text)}`);
  process.exit(ExitStatus.failed);
});

process.exit(await main().catch(statusOf));
