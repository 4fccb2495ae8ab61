import { type ErrorEvent, ErrorReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { Refusal } from "../../errors.ts";
import { explainExhaustion } from "../../exhaustion.ts";
import { errorEvent } from "../events.ts";
import { WorkspaceError } from "../process/workspace.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";
import { toInt32 } from "./numbers.ts";
import { STDERR_CAUSES, type StderrCause } from "./stderr-causes.ts";

/** How the CLI ended, and what it had said until then. */
export interface SilentExit {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to stderr. */
  readonly stderrTail: string;
  /** How many of its lines were messages. */
  readonly understood: number;
  /** It had come up. */
  readonly initialized: boolean;
  /** The agent definition that was asked for. */
  readonly agent: string;
  /** It printed anything at all on stdout. */
  readonly printed: boolean;
}

/** Why the CLI ended without a result, as an `error` event's value whose message says what to do about it. */
export function explainExit(exit: SilentExit): ErrorEvent {
  const { reason, message } = causeOf(exit);
  return {
    ...errorEvent(reason, message),
    ...(exit.exitCode !== null && { exitCode: toInt32(exit.exitCode) }),
    signal: exit.signal ?? "",
    stderrTail: exit.stderrTail.toWellFormed(),
  };
}

/** Why the CLI, or the workspace to run it in, could not be started with at all, as an `error` event's value. */
export function explainStartError(error: NodeJS.ErrnoException, command: string): ErrorEvent {
  // spawn's own errors name the system call; this one is about the directory that was looked at before.
  if (error.code === "ENOTDIR" && error.syscall === undefined) {
    const text = `The session's workspace cannot be used: ${error.message}. Restore it, or begin a new session.`;
    return errorEvent(ErrorReason.AGENT_START_FAILED, text);
  }
  const exhaustion = explainExhaustion(error);
  if (exhaustion !== undefined) {
    const text = `No process could be started for the turn: ${exhaustion}. Nothing was run. Try again when other turns have ended; raise that limit, or lower BREAKGLASS_MAX_CONCURRENT_TURNS.`;
    return errorEvent(ErrorReason.AGENT_START_FAILED, text);
  }
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return errorEvent(ErrorReason.AGENT_NOT_FOUND, `${command} was not found. ${INSTALL}`);
    case "EACCES":
    case "ENOEXEC":
      return errorEvent(
        ErrorReason.AGENT_START_FAILED,
        `${command} cannot be run (${error.code}): it must be an executable of this system that the server's user may run. ${INSTALL}`,
      );
  }
  return errorEvent(ErrorReason.AGENT_START_FAILED, `${command} did not start: ${error.message}`);
}

/** Why no process could be given a turn, as an `error` event's value. Undefined: by a defect. */
export function explainUnstarted(error: Error, command: string): ErrorEvent | undefined {
  if (error instanceof Refusal) return errorEvent(ErrorReason.STORAGE, error.message);
  if (error instanceof DefinitionRefusal) {
    return errorEvent(ErrorReason.AGENT_START_FAILED, error.message);
  }
  const isStart = error instanceof WorkspaceError || explainExhaustion(error) !== undefined;
  return isStart ? explainStartError(error, command) : undefined;
}

/** Whether the CLI refused to begin a conversation because it has one of that id. Measured on 2.1.197 and 2.1.330. */
export function isSessionInUse(stderrTail: string): boolean {
  return /Session ID \S+ is already in use/.test(stderrTail);
}

/** Whether an exit is how a program obeys an interrupt: by the signal, or with the status that a shell gives that. */
export function isInterruptExit({ exitCode, signal }: Pick<SilentExit, "exitCode" | "signal">) {
  return exitCode === 130 || signal === "SIGINT";
}

const INSTALL =
  "Install the Claude Code CLI (npm install -g @anthropic-ai/claude-code) or set BREAKGLASS_AGENT_COMMAND to where it is.";

function causeOf(exit: SilentExit): StderrCause {
  const how = manner(exit);
  if (exit.initialized) return inTheMiddle(exit, how);
  for (const { pattern, cause } of STDERR_CAUSES) {
    const match = pattern.exec(exit.stderrTail);
    if (match !== null) return cause(match, exit.agent);
  }
  const said = lastLine(exit.stderrTail);
  // A program that leaves in peace, or prints something else, is not the one that was meant.
  if (exit.understood === 0 && exit.signal === null && (exit.printed || exit.exitCode === 0)) {
    const printed = exit.printed ? "nothing that could be understood" : "nothing";
    return {
      reason: ErrorReason.AGENT_PROTOCOL,
      message: `The agent's program printed ${printed} and ${how}${said}. Check that BREAKGLASS_AGENT_COMMAND names the Claude Code CLI, version 2.1.197 or newer.`,
    };
  }
  return {
    reason: ErrorReason.AGENT_START_FAILED,
    message: `The Claude Code CLI ${how} before it took up the prompt${said}. ${advice(exit)}`,
  };
}

function manner(exit: SilentExit): string {
  if (exit.signal !== null) return `was ended by ${exit.signal}`;
  return exit.exitCode === null ? "ended" : `exited with status ${exit.exitCode}`;
}

function inTheMiddle(exit: SilentExit, how: string): StderrCause {
  return {
    reason: ErrorReason.AGENT_EXITED,
    message: `The Claude Code CLI ${how} in the middle of the turn, without a result${lastLine(exit.stderrTail)}. What it had done until then is done. ${advice(exit)}`,
  };
}

function advice(exit: SilentExit): string {
  if (exit.signal === "SIGKILL" || exit.exitCode === 137) {
    return "If nobody killed it, the system may have run out of memory: look at its kernel log.";
  }
  return exit.initialized
    ? "Ask again in the same session to go on."
    : "Run it by hand on the server, as the server's user, to see why.";
}

function lastLine(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1)?.trim();
  return line ? `: ${line.slice(0, 500)}` : "";
}
