import { lstat } from "node:fs/promises";
import { ByteLines } from "../../stream/byte-lines.ts";
import type { AgentRun, AgentTurn, EventKind, Spending } from "../agent.ts";
import { ProcessFamily } from "../process/process-family.ts";
import { ended, STOP_RUNGS, stopFamily } from "../process/stop-ladder.ts";
import { shippedAgents } from "./agent-definition.ts";
import type { ClaudeOptions } from "./claude-agent.ts";
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
  readonly events: AsyncIterable<EventKind[]>;
  readonly gone: Promise<void>;
  readonly #turn: AgentTurn;
  readonly #options: ClaudeOptions;
  readonly #reportGone: () => void;
  #process: ClaudeProcess | undefined;
  #translation: ClaudeTranslation | undefined;
  #closing: Promise<void> | undefined;
  #stopped = false;

  constructor(turn: AgentTurn, options: ClaudeOptions) {
    this.#turn = turn;
    this.#options = options;
    const gone = Promise.withResolvers<void>();
    this.gone = gone.promise;
    this.#reportGone = gone.resolve;
    this.events = this.#read();
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

  async *#read(): AsyncGenerator<EventKind[]> {
    const { environment } = this.#options;
    const known = await hasConversation(configDirectory(environment), this.#turn.agentSessionId);
    const first: Opening = known ? "resume" : "new";
    if (yield* this.#attempt(first, true)) return;
    // What the CLI says of its own conversations counts for more than what its disk looked like.
    yield* this.#attempt(first === "resume" ? "new" : "resume", false);
  }

  /** Runs the CLI once. Returns false, having yielded no event, where the other opening is to be tried. */
  async *#attempt(opening: Opening, correctable: boolean): AsyncGenerator<EventKind[], boolean> {
    const refused = await this.#refuseWorkspace();
    if (refused !== undefined) {
      yield [refused];
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
    let printed = false;
    for await (const batch of this.#batches(cli, translation)) {
      printed = true;
      if (translation.conversationUnknown) break;
      if (translation.agentUnknown) this.#close(0);
      else if (translation.ended) this.#close(this.#options.lingerMs ?? LINGER_MS);
      yield batch;
      if (translation.ended) return true;
    }
    const exit = await this.#exitOf(cli);
    const inUse = opening === "new" && isSessionInUse(cli.stderrTail) && !translation.initialized;
    if (correctable && !this.#stopped && (translation.conversationUnknown || inUse)) return false;
    yield [this.#explain(cli, exit, translation, printed)];
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
    const cli = new ClaudeProcess(command, args, { cwd: workspace, env });
    this.#process = cli;
    cli.write(promptMessage(prompt));
    return cli;
  }

  async *#batches(cli: ClaudeProcess, translation: ClaudeTranslation): AsyncGenerator<EventKind[]> {
    let batch: EventKind[] = [];
    let lines = 0;
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
    const take = () => {
      const taken = batch;
      batch = [];
      lines = 0;
      return taken;
    };
    for await (const chunk of cli.output()) {
      framing.push(chunk);
      if (lines > 0) yield take();
    }
    framing.end();
    if (lines > 0) yield take();
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
    this.#closing ??= this.#end(lingerMs).finally(this.#reportGone);
  }

  #ladderNow: () => void = () => {};

  async #end(lingerMs: number): Promise<void> {
    const cli = this.#process;
    const family = new ProcessFamily([this.#turn.processId], cli?.pid);
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
    const left = await stopFamily(family, leader, () => cli?.interrupt(), rungs);
    if (left > 0) this.#options.log.error("processes outlived SIGKILL", { left });
  }
}
