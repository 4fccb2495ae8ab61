import { lstat } from "node:fs/promises";
import { ByteLines } from "../../stream/byte-lines.ts";
import type { AgentRun, AgentTurn, EventKind, Spending } from "../agent.ts";
import { Handover } from "../handover.ts";
import { killCgroup, removeCgroup } from "../process/cgroup.ts";
import { ended, STOP_RUNGS, stopFamily } from "../process/stop-ladder.ts";
import { shippedAgents } from "./agent-definition.ts";
import type { ClaudeRunOptions } from "./claude-agent.ts";
import { ClaudeProcess, type ProcessExit } from "./claude-process.ts";
import { claudeArguments, type Opening, promptMessage } from "./command-line.ts";
import { configDirectory, hasConversation } from "./config-directory.ts";
import { agentEnvironment } from "./environment.ts";
import { explainExit, explainStartError, isSessionInUse } from "./failures.ts";
import { ClaudeTranslation } from "./translation.ts";

/** What 2.1.330 needs after its result, with nothing left to do, is 20 to 50 ms; background tasks take what they take. */
const LINGER_MS = 5000;
/** A CLI that closed its stdout will print nothing more: it gets this long to exit. */
const EXIT_AFTER_OUTPUT_MS = 5000;

/**
 * One turn of the Claude Code CLI.
 *
 * 1. At most one of its processes lives at a time: the second is the correction of the first's opening.
 * 2. Whatever way it ends, `#close` runs once and `gone` resolves when no process is left.
 */
export class ClaudeRun implements AgentRun {
  readonly #batches = new Handover<EventKind[]>(() => this.#process?.resume());
  readonly events: AsyncIterable<EventKind[]> = this.#batches;
  readonly gone: Promise<void>;
  readonly #turn: AgentTurn;
  readonly #options: ClaudeRunOptions;
  readonly #reportGone: () => void;
  #process: ClaudeProcess | undefined;
  #cgroup: string | undefined;
  #translation: ClaudeTranslation | undefined;
  #closing: Promise<void> | undefined;
  #stopped = false;

  constructor(turn: AgentTurn, options: ClaudeRunOptions) {
    this.#turn = turn;
    this.#options = options;
    const gone = Promise.withResolvers<void>();
    this.gone = gone.promise;
    this.#reportGone = gone.resolve;
    void this.#read();
  }

  get agentSessionId(): string {
    return this.#translation?.agentSessionId ?? this.#turn.agentSessionId;
  }

  get spending(): Spending {
    return this.#translation?.spending ?? { totalCostUsd: 0 };
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#close(0);
    return this.gone;
  }

  /** Kills what it can of the turn's processes, without waiting for anything. */
  killNow(): void {
    const pid = this.#process?.pid;
    const cgroup = this.#cgroup;
    if (cgroup !== undefined) quietly(() => killCgroup(cgroup));
    if (pid !== undefined) quietly(() => process.kill(-pid, "SIGKILL"));
  }

  async #read(): Promise<void> {
    try {
      const { environment } = this.#options;
      const known = await hasConversation(configDirectory(environment), this.#turn.agentSessionId);
      const first: Opening = known ? "resume" : "new";
      const second: Opening = known ? "new" : "resume";
      // What the CLI says of its own conversations counts for more than what its disk looked like.
      if (!(await this.#attempt(first, true))) await this.#attempt(second, false);
      this.#batches.end();
    } catch (error) {
      this.#batches.end(error as Error);
    }
  }

  /** Runs the CLI once. Returns false, having given no event, where the other opening is to be tried. */
  async #attempt(opening: Opening, correctable: boolean): Promise<boolean> {
    const refused = await this.#refuseWorkspace();
    if (refused !== undefined) {
      this.#batches.give([refused]);
      this.#close(0);
      return true;
    }
    const args = await this.#arguments(opening);
    // Nothing is awaited from here to the spawn: a stop comes before it or finds a process to end.
    if (this.#stopped) return true;
    const translation = new ClaudeTranslation({
      agent: this.#turn.agent,
      resumed: opening === "resume",
    });
    this.#translation = translation;
    const cli = this.#spawn(args);
    const printed = await this.#follow(cli, translation);
    if (translation.ended && !translation.conversationUnknown) return true;
    const exit = await this.#exitOf(cli);
    const inUse = opening === "new" && isSessionInUse(cli.stderrTail) && !translation.initialized;
    if (correctable && !this.#stopped && (translation.conversationUnknown || inUse)) return false;
    this.#batches.give([this.#explain(cli, exit, translation, printed)]);
    this.#close(0);
    return true;
  }

  async #arguments(opening: Opening): Promise<string[]> {
    const { workspace, agent } = this.#turn;
    const directory = configDirectory(this.#options.environment);
    return claudeArguments(this.#turn, opening, await shippedAgents(agent, workspace, directory));
  }

  #spawn(args: string[]): ClaudeProcess {
    const { command, environment, passedNames } = this.#options;
    const { workspace, processId, prompt } = this.#turn;
    const env = agentEnvironment(environment, passedNames, processId);
    this.#cgroup ??= this.#options.processes.createCgroup(processId);
    const cli = new ClaudeProcess(command, args, { cwd: workspace, env, cgroup: this.#cgroup });
    this.#process = cli;
    cli.write(promptMessage(prompt));
    return cli;
  }

  /** Gives what the CLI prints in batches, up to its end or the turn's. Answers whether it printed a line. */
  async #follow(cli: ClaudeProcess, translation: ClaudeTranslation): Promise<boolean> {
    let batch: EventKind[] = [];
    let lines = 0;
    let printed = false;
    const framing = new ByteLines(this.#options.maxLineBytes, {
      line: (bytes) => {
        lines++;
        translation.translate(bytes, batch);
      },
      skipped: (bytes) => {
        lines++;
        translation.skipped(bytes, batch);
      },
    });
    /** Answers whether there may be more. */
    const give = (): boolean => {
      if (lines === 0) return true;
      printed = true;
      if (translation.conversationUnknown) return false;
      if (translation.agentUnknown) this.#close(0);
      else if (translation.ended) this.#close(this.#options.lingerMs ?? LINGER_MS);
      this.#batches.give(batch);
      batch = [];
      lines = 0;
      if (this.#batches.isFull) cli.pause();
      return !translation.ended;
    };
    await cli.read((chunk) => {
      framing.push(chunk);
      return give();
    });
    if (!translation.ended) {
      framing.end();
      give();
    }
    return printed;
  }

  /** The exit of a CLI that prints nothing more, which is made to exit where it does not by itself. */
  async #exitOf(cli: ClaudeProcess): Promise<ProcessExit> {
    cli.endInput();
    cli.discardOutput();
    const timer = setTimeout(() => this.#close(0), EXIT_AFTER_OUTPUT_MS);
    try {
      return await cli.exit;
    } finally {
      clearTimeout(timer);
    }
  }

  #explain(
    cli: ClaudeProcess,
    exit: ProcessExit,
    translation: ClaudeTranslation,
    printed: boolean,
  ): EventKind {
    const { command } = this.#options;
    if (exit.startError !== undefined) {
      return { case: "error", value: explainStartError(exit.startError, command) };
    }
    const { understood, initialized } = translation;
    const { agent } = this.#turn;
    const { stderrTail } = cli;
    const value = explainExit({ ...exit, stderrTail, understood, initialized, agent, printed });
    return { case: "error", value: { ...value, ...this.spending } };
  }

  /** The workspace is a directory that the agent could write to: it is looked at anew before each use. */
  async #refuseWorkspace(): Promise<EventKind | undefined> {
    const { workspace } = this.#turn;
    const entry = await lstat(workspace).catch((error: NodeJS.ErrnoException) => error);
    if (!(entry instanceof Error) && entry.isDirectory()) return undefined;
    const why = entry instanceof Error ? entry.message : `${workspace} is not a directory`;
    const error = Object.assign(new Error(why), { code: "ENOTDIR" });
    return { case: "error", value: explainStartError(error, this.#options.command) };
  }

  /** Begins the end, once: gives the CLI `lingerMs` to exit by itself, then takes the ladder. */
  #close(lingerMs: number): void {
    if (lingerMs === 0) this.#ladderNow();
    this.#closing ??= this.#end(lingerMs).then(this.#leaveCgroup).finally(this.#reportGone);
  }

  readonly #leaveCgroup = async (): Promise<void> => {
    if (this.#cgroup !== undefined) await removeCgroup(this.#cgroup);
  };

  #ladderNow: () => void = () => {};

  async #end(lingerMs: number): Promise<void> {
    const cli = this.#process;
    const { processes, log } = this.#options;
    const { processId } = this.#turn;
    const family = processes.family({ processId, cgroup: this.#cgroup, root: cli?.pid });
    const leader = cli?.exit ?? Promise.resolve();
    if (lingerMs > 0) {
      cli?.endInput();
      cli?.discardOutput();
      const hurry = new Promise<boolean>((resolve) => {
        this.#ladderNow = () => resolve(false);
      });
      if (await Promise.race([ended(family, leader, lingerMs), hurry])) return;
    }
    const rungs = this.#options.rungs ?? STOP_RUNGS;
    const gone = await stopFamily(family, leader, () => cli?.interrupt(), rungs);
    if (!gone) log.error("processes outlived SIGKILL", { members: await family.members() });
  }
}

/** Nobody being left is what was wanted. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
