#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --max-semi-space-size=8 --disable-sigusr1
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { ExitStatus } from "./commands/exit-status.ts";
import { settingsHelp } from "./commands/settings-help.ts";
import { openTerminal } from "./commands/terminal.ts";
import { oneLine, print, terminalText } from "./commands/terminal-text.ts";
import { UsageError } from "./commands/usage-error.ts";
import { ConfigError } from "./config/config-error.ts";
import { COMMAND_SECTION, SERVE_SECTIONS } from "./config/settings/sections.ts";

// Where the flag above is not given, Node would open a debugger's port to whoever sends it.
process.on("SIGUSR1", () => {});

/** What is wrong with a command repeats what it was given. */
const ERROR_CHARACTERS = 4000;

const terminal = openTerminal(process.stdout, process.stderr, false);

// Each command is imported when it is asked for: listing sessions loads no server, and serving no client.
async function main(): Promise<ExitStatus> {
  let status: ExitStatus = ExitStatus.ok;
  const program = new Command("breakglass")
    .description("Runs an AI agent in a workspace per session, and streams its work.")
    .configureOutput({
      outputError: (message) => terminal.tell(oneLine(message, ERROR_CHARACTERS)),
    })
    .addHelpText(
      "after",
      "\nSettings are BREAKGLASS_… variables: `breakglass serve --help` lists them.",
    )
    .exitOverride();

  program
    .command("serve")
    .description("serve until SIGTERM or SIGINT, read files again on SIGHUP")
    .configureHelp(settingsHelp(SERVE_SECTIONS))
    .action(async () => {
      status = await (await import("./commands/serve.ts")).serve();
    });
  withUrl(program.command("run"))
    .description("run a turn and print it as it happens")
    .argument("<prompt>", "what the agent is asked; - reads it from stdin")
    .option("--session <id>", "the session's UUID (default: a new session)")
    .option("--model <model>", "the model (default: the session's, else the server's)")
    .option("--agent <agent>", "the agent definition (default: the session's, else the server's)")
    .option("--agent-kind <kind>", "the kind of agent (default: the session's, else the server's)")
    .option("--timeout <seconds>", "how long the turn may take", positiveSeconds)
    .option("--request-id <uuid>", "joins the turn that this id started before")
    .option(
      "--attach <file>",
      "an image for the model or a file for the workspace; any number",
      append,
    )
    .addOption(
      new Option("--ask", "the agent asks before tool calls that no rule allows").conflicts(
        "bypass",
      ),
    )
    .option("--bypass", "the agent does all that no rule denies")
    .option("--deltas", "text as it is written (default: on a terminal; with --json only if asked)")
    .option("--no-deltas", "text by whole blocks")
    .option("--json", "print one event in JSON a line")
    .action(async (prompt: string, options) => {
      status = await (await import("./commands/run.ts")).run(prompt, options);
    });
  withUrl(program.command("attach"))
    .description("print a turn, running or ended, and follow it to its end")
    .argument("<turn>", "the turn's id")
    .option("--after <n>", "only what follows this sequence", wholeSequence)
    .option("--deltas", "text as it is written (default: on a terminal; with --json only if asked)")
    .option("--no-deltas", "text by whole blocks")
    .option("--json", "print one event in JSON a line")
    .action(async (turn: string, options) => {
      status = await (await import("./commands/attach.ts")).attach(turn, options);
    });
  withUrl(program.command("cancel"))
    .description("end a running turn and print how it ended")
    .argument("<turn>", "the turn's id")
    .action(async (turn: string, options) => {
      status = await (await import("./commands/cancel.ts")).cancel(turn, options);
    });
  withUrl(program.command("interrupt"))
    .description("have the agent stop what it does, keep its process, and print how the turn ended")
    .argument("<turn>", "the turn's id")
    .action(async (turn: string, options) => {
      status = await (await import("./commands/interrupt.ts")).interrupt(turn, options);
    });
  withUrl(program.command("steer"))
    .description("hand a running turn another message")
    .argument("<turn>", "the turn's id")
    .argument("<message>", "what the agent is told; - reads it from stdin")
    .option("--request-id <uuid>", "tells nothing twice")
    .action(async (turn: string, message: string, options) => {
      status = await (await import("./commands/steer.ts")).steer(turn, message, options);
    });
  withUrl(program.command("approve"))
    .description("allow a tool call that waits for an approval")
    .argument("<turn>", "the turn's id")
    .argument("<approval>", "the approval's id")
    .option("--input <json>", "the input to make the call with instead; - reads it from stdin")
    .action(async (turn: string, approval: string, options) => {
      status = await (await import("./commands/approve.ts")).approve(turn, approval, options);
    });
  withUrl(program.command("deny"))
    .description("deny a tool call that waits for an approval")
    .argument("<turn>", "the turn's id")
    .argument("<approval>", "the approval's id")
    .option("--message <text>", "what the agent is told")
    .action(async (turn: string, approval: string, options) => {
      status = await (await import("./commands/approve.ts")).deny(turn, approval, options);
    });
  withUrl(program.command("watch"))
    .description("print each turn of a session as it starts and as it ends, until Ctrl-C")
    .argument("<session>", "the session's id")
    .option("--after <cursor>", "only what follows this cursor", cursor)
    .option("--json", "print one change in JSON a line")
    .action(async (session: string, options) => {
      status = await (await import("./commands/watch.ts")).watch(session, options);
    });
  withUrl(program.command("sessions"))
    .description("list the sessions, most recently active first")
    .option("--json", "print one session in JSON a line")
    .action(async (options) => {
      status = await (await import("./commands/sessions.ts")).sessions(options);
    });
  withUrl(program.command("turns"))
    .description("list a session's turns, newest first")
    .argument("<session>", "the session's id")
    .option("--json", "print one turn in JSON a line")
    .action(async (session: string, options) => {
      status = await (await import("./commands/turns.ts")).turns(session, options);
    });
  program
    .command("drill")
    .description(
      "rehearse a repair with the real service and agent and a scripted model; no key, no network",
    )
    .action(async () => {
      status = await (await import("./commands/drill.ts")).drill();
    });

  program
    .command("doctor")
    .description("tell what works with a CLI of this machine; no key, no network")
    .option("--agent [path]", "its program (default: the one that is served with)")
    .option("--json", "print one finding in JSON a line")
    .action(async (options) => {
      status = await (await import("./commands/doctor.ts")).doctor(options);
    });

  await program.parseAsync();
  return status;
}

function withUrl(command: Command): Command {
  return command
    .option("--url <url>", "the server (default: BREAKGLASS_URL)")
    .configureHelp(settingsHelp([COMMAND_SECTION]));
}

function positiveSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0 && seconds <= 604_800) return seconds;
  throw new InvalidArgumentError("It takes a number of seconds above 0, at most 604800.");
}

function wholeSequence(text: string): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new InvalidArgumentError("It takes a whole number from 0 to 4294967295.");
}

/** One file an option: an option that took several would take the prompt too. */
function append(file: string, before: readonly string[] = []): readonly string[] {
  return [...before, file];
}

function cursor(text: string): bigint {
  if (/^\d{1,15}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("It takes a whole number.");
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
