import { randomUUID } from "node:crypto";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { ByteLines } from "../../stream/byte-lines.ts";
import type { EventKind } from "../agent.ts";
import {
  costOf,
  LONG_BYTES,
  type OutputReader,
  type OutputScheduler,
} from "../output-scheduler.ts";
import { killCgroup, removeCgroup } from "../process/cgroup.ts";
import { ended, STOP_RUNGS, stopFamily } from "../process/stop-ladder.ts";
import { agentsArgument } from "./agent-definition.ts";
import type { ProcessMemory } from "./agent-memory.ts";
import { BackgroundTasks } from "./background-tasks.ts";
import type { ClaudeRunOptions } from "./claude-agent.ts";
import { ClaudeProcess, type ProcessExit } from "./claude-process.ts";
import {
  type Control,
  type ConversationPlace,
  claudeArguments,
  controlRequest,
  isUntrusting,
  type Opening,
} from "./command-line.ts";
import { configDirectory, removeLeftCommands, removeStateVariables } from "./config-directory.ts";
import { CostCount } from "./cost-count.ts";
import { agentEnvironment, untrustingEnvironment } from "./environment.ts";
import { noticeEvent } from "./events.ts";
import { type Interlude, isOutOfTurn } from "./interlude.ts";
import { decodeLine, isIntricate, type Message, parseMessage } from "./line.ts";
import type { RefusalCause } from "./malformed.ts";
import * as messages from "./messages.ts";
import type { PermissionRules } from "./permission-rules.ts";
import { openWorkspace } from "./workspace.ts";

/** A CLI that closed its stdout will print nothing more: it gets this long to exit. */
const EXIT_AFTER_OUTPUT_MS = 5000;
/** An idle CLI answers within a few milliseconds. */
const CONTROL_MS = 5000;

/** How much of what a process prints is looked at between two looks at the clock. */
const PIECE_BYTES = 4096;
/** So many bytes may take a while to look at: only then is it worth its 2 µs to ask for the thread's own time. */
const LARGE_BYTES = 16 * 1024;
/** Fewer take no longer than that: what is more was somebody else's. */
const SMALL_MS = { least: 0.2, perByte: 0.00005 };
/** So often may it begin to work by itself between two prompts: as often as tasks are followed that may end. */
const MAX_OWN_WORK = 1000;

/** What the CLI says to a request that it fulfils. */
export type ControlAnswer = Readonly<Record<string, unknown>>;

/** Takes what a conversation prints while it works on a turn. Must not throw. */
export interface TurnReader {
  message(message: Message, line: string): void;
  malformed(line: string): void;
  /** A line was not read. */
  refused(bytes: number, cause: RefusalCause): void;
  /** One of our messages was taken up. */
  taken(uuid: string): void;
  /** The CLI asks: a `control_request`. */
  asked(message: Message, line: string): void;
  /** It no longer waits for an answer. */
  withdrawn(requestId: string): void;
  /** It gave a result, or spoke, without having begun a turn. */
  strayed(message: Message, line: string): void;
  /** The process is ended for what it does; `why` goes on from "the agent". */
  distrusted(why: string): void;
  /** All that came in one piece was given. */
  flush(): void;
  /** The process has ended; nothing more comes. */
  ended(exit: ProcessExit): void;
}

/** What a process has for what it prints. */
export interface ConversationMemory {
  /** All that is kept on its behalf counts in it. Whoever opens the conversation closes it. */
  readonly memory: ProcessMemory;
  readonly interlude: Interlude;
  readonly scheduler: OutputScheduler;
}

/** Looks after a conversation while no turn does. Must not throw. */
export interface ConversationKeeper {
  /** It begins work of its own. Whoever takes it up calls `begin` at once; otherwise it is part of the next turn. */
  ownWork(conversation: Conversation): void;
  /** Its state is in doubt; `why` goes on from "an agent". */
  doubted(conversation: Conversation, why: string): void;
}

/**
 * One process of the CLI, and the conversation that is held with it, turn after turn.
 *
 * 1. Everything that it prints is read, from its start to its end: by the turn that is running, or else as an interlude.
 * 2. It prints no faster than its turn takes it; between turns it is not held up.
 * 3. Whatever way it ends, it is closed once, and `gone` resolves when nothing that it started is left.
 */
export class Conversation implements OutputReader {
  readonly place: ConversationPlace;
  readonly opening: Opening;
  /** What its process was started with. */
  readonly rules: PermissionRules;
  readonly processId: string;
  /** Resolves when no process is left and that is recorded. Never rejects. */
  readonly gone: Promise<void>;
  /** All that is kept on the process's behalf counts in it. */
  readonly memory: ProcessMemory;
  readonly tasks = new BackgroundTasks();
  readonly costs = new CostCount();
  readonly #options: ClaudeRunOptions;
  readonly #cli: ClaudeProcess;
  readonly #cgroup: string | undefined;
  readonly #keeper: ConversationKeeper;
  readonly #interlude: Interlude;
  readonly #controls = new Map<string, (answer: ControlAnswer | undefined) => void>();
  readonly #reportGone: () => void;
  /** What its tools may do. */
  readonly mode: PermissionMode;
  #sessionId: string;
  readonly #scheduler: OutputScheduler;
  #reader: TurnReader | undefined;
  #isPaused = false;
  /** How many it has printed, and was answered. */
  #lines = 0;
  /** Others are read first. */
  #isHeld = false;
  #turnId = "";
  #turnsBegun = 0;
  /** Set once nothing more comes of its process. */
  #exited: ProcessExit | undefined;
  /** How often it began to work by itself since it was last given a prompt. */
  #ownWork = 0;
  #heardTime = performance.now();
  #inTurn = false;
  #closing: Promise<void> | undefined;
  #hurry: () => void = () => {};

  /**
   * Starts a process, once it is recorded that there is to be one.
   *
   * @param sessionId - Whose it is. Empty: it waits for a session.
   * @throws WorkspaceError; DefinitionRefusal where the agent's definition cannot be used; what the registry throws; Error
   * where there is no descriptor left to look with.
   */
  static async open(
    place: ConversationPlace,
    sessionId: string,
    opening: Opening,
    mode: PermissionMode,
    keeper: ConversationKeeper,
    kept: ConversationMemory,
    options: ClaudeRunOptions,
  ): Promise<Conversation> {
    const processId = randomUUID();
    const { workspace, agent, agentSessionId } = place;
    await using workspaceDirectory = await openWorkspace(workspace);
    const directory = configDirectory(options.environment);
    const untrusting = isUntrusting(mode, options);
    const definition = await agentsArgument(agent, workspace, directory, untrusting);
    if (definition.warning !== undefined) {
      kept.interlude.keep([noticeEvent(NoticeReason.AGENT_WARNING, definition.warning)]);
    }
    if (untrusting) {
      await removeLeftCommands(directory, agentSessionId);
      await removeStateVariables(options.environment);
    }
    await options.registry.recordProcess({ processId, sessionId, workspace });
    const { rules } = options;
    const args = claudeArguments(place, opening, mode, options, definition.agents);
    const started = {
      processId,
      sessionId,
      opening,
      mode,
      rules,
      args,
      cwd: workspaceDirectory.place(),
    };
    return new Conversation(place, started, keeper, kept, options);
  }

  private constructor(
    place: ConversationPlace,
    started: {
      processId: string;
      sessionId: string;
      opening: Opening;
      mode: PermissionMode;
      rules: PermissionRules;
      args: string[];
      cwd: string;
    },
    keeper: ConversationKeeper,
    { interlude, memory, scheduler }: ConversationMemory,
    options: ClaudeRunOptions,
  ) {
    const { executable, environment, passedNames, processes, umask } = options;
    this.place = place;
    this.processId = started.processId;
    this.opening = started.opening;
    this.rules = started.rules;
    this.#sessionId = started.sessionId;
    this.mode = started.mode;
    this.#keeper = keeper;
    this.#interlude = interlude;
    this.memory = memory;
    this.#scheduler = scheduler;
    this.#options = options;
    const gone = Promise.withResolvers<void>();
    this.gone = gone.promise;
    this.#reportGone = gone.resolve;
    const whole = agentEnvironment(environment, passedNames, this.processId);
    const env = isUntrusting(this.mode, options) ? untrustingEnvironment(whole) : whole;
    this.#cgroup = processes.createCgroup(this.processId);
    const { cwd } = started;
    const surroundings = { cwd, env, cgroup: this.#cgroup, umask };
    this.#cli = new ClaudeProcess(executable.find(), started.args, surroundings);
    void this.#read();
  }

  /** Whose it is. Empty: it waits for a session. */
  get sessionId(): string {
    return this.#sessionId;
  }

  /** The turn that is running, or ran last. Empty: none has. */
  get turnId(): string {
    return this.#turnId;
  }

  /** Whether it has taken a turn, or goes on with one that an earlier process took: the agent remembers something. */
  get remembers(): boolean {
    return this.opening === "resume" || this.#turnsBegun > 0;
  }

  /** Whether it can take a turn. */
  get isIdle(): boolean {
    return this.#reader === undefined && this.#closing === undefined;
  }

  /** Whether it is being ended, or has been. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether it is at work on something that no turn has taken up. */
  get isAtWork(): boolean {
    return this.#inTurn;
  }

  /** Gives up what came since the last turn, and what its end took along, for the session's next process. */
  takeLeft(): EventKind[] {
    const left = this.#interlude.take();
    const { size } = this.tasks;
    if (size === 0) return left;
    const text = `The session's process has ended, and with it what it ran in the background (tasks: ${size})`;
    return [...left, noticeEvent(NoticeReason.TASK_ENDED, text)];
  }

  /** How long it has printed nothing, in milliseconds. */
  get silentMs(): number {
    return performance.now() - this.#heardTime;
  }

  /** The end of what the process wrote to stderr. */
  get stderrTail(): string {
    return this.#cli.stderrTail;
  }

  /** Makes it the conversation of a session that has just been opened. */
  assign(sessionId: string): void {
    this.#sessionId = sessionId;
  }

  /**
   * Begins to give what it prints to a turn; answers what came since the turn before. It must be idle; where its process has
   * ended by now, as one that could not be started has, the turn is told so soon.
   */
  begin(reader: TurnReader, turnId: string): EventKind[] {
    this.#reader = reader;
    this.#turnId = turnId;
    const exit = this.#exited;
    if (exit !== undefined) queueMicrotask(() => this.#reader === reader && reader.ended(exit));
    if (!this.#inTurn) this.#ownWork = 0;
    return this.#interlude.take();
  }

  /** A turn takes nothing more; `left` is what it did not take, for the next one. */
  release(reader: TurnReader, left: readonly EventKind[] = []): void {
    this.#interlude.keep(left);
    if (this.#reader !== reader) return;
    this.#reader = undefined;
    this.resume();
  }

  /** Writes lines to the process. What it no longer reads is lost, and its end says so. */
  write(lines: string): void {
    this.#cli.write(lines);
  }

  /** Answers what the process asked. One that asks on without reading the answers is ended. */
  reply(line: string): void {
    // It costs as much as what it answers.
    this.#lines++;
    const { replies } = this.memory;
    const bytes = Buffer.byteLength(line);
    if (replies.take(bytes)) this.#cli.write(line, () => replies.giveBack(bytes));
    else this.#distrust("asked without reading the answers");
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#isPaused = true;
    this.#cli.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#isPaused = false;
    this.#readOnAfter(0);
  }

  /** Its turn has to deal with what it has first. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  readOn(): void {
    this.#isHeld = false;
    if (!this.#isPaused) this.#cli.resume();
  }

  /** Asks the process for something. Resolves with what it says; undefined where it refuses, or says nothing in time. */
  control(request: Control, withinMs = CONTROL_MS): Promise<ControlAnswer | undefined> {
    const id = randomUUID();
    return new Promise((resolve) => {
      const settle = (answer: ControlAnswer | undefined) => {
        clearTimeout(timer);
        this.#controls.delete(id);
        resolve(answer);
      };
      const timer = setTimeout(() => settle(undefined), withinMs);
      this.#controls.set(id, settle);
      this.#cli.write(controlRequest(id, request));
    });
  }

  /**
   * Ends it, once: gives it `lingerMs` to finish and to exit by itself, then takes the ladder. A later call can only
   * shorten the time. Returns `gone`.
   */
  close(lingerMs = 0): Promise<void> {
    if (lingerMs === 0) this.#hurry();
    this.#closing ??= this.#end(lingerMs).then(() => this.#recordGone());
    // Whatever it waited for: only who is read to the end is seen to end.
    this.resume();
    return this.gone;
  }

  /** Kills what it can, without waiting for anything. */
  killNow(): void {
    const { pid } = this.#cli;
    const cgroup = this.#cgroup;
    if (cgroup !== undefined) quietly(() => killCgroup(cgroup));
    if (pid !== undefined) quietly(() => process.kill(-pid, "SIGKILL"));
  }

  async #read(): Promise<void> {
    const sink = {
      line: (bytes: Uint8Array) => this.#line(bytes),
      skipped: (bytes: number, cause: RefusalCause) => this.#refuse(bytes, cause),
    };
    const framing = new ByteLines(this.#options.maxLineBytes, sink, this.memory.lines);
    this.memory.lines.giveWay = () => framing.drop();
    await this.#cli.read((chunk) => {
      const looked = stopwatch(chunk.length + this.memory.lines.taken);
      const before = this.#lines;
      const cost = () => costOf(looked(), this.#lines - before, chunk.length - rest.length);
      const most = this.#scheduler.sliceMs(this);
      let rest = chunk;
      do {
        framing.push(rest.subarray(0, PIECE_BYTES));
        rest = rest.subarray(PIECE_BYTES);
      } while (rest.length > 0 && cost() < most);
      this.#reader?.flush();
      this.#readOnAfter(cost());
      return rest;
    });
    this.#scheduler.forget(this);
    framing.end();
    this.#reader?.flush();
    const exit = await this.#exit();
    this.#exited = exit;
    for (const settle of this.#controls.values()) settle(undefined);
    this.#reader?.ended(exit);
    void this.close();
  }

  /** Reads on, unless its turn has to deal with what it has, or others come first. One that is to end is read to its end. */
  #readOnAfter(costMs: number): void {
    const isClosing = this.#closing !== undefined;
    if (isClosing) this.#scheduler.forget(this);
    const hasLongLine = this.memory.lines.taken > LONG_BYTES;
    this.#isHeld = !isClosing && !this.#scheduler.looked(this, costMs, hasLongLine);
    if (this.#isPaused || this.#isHeld) this.#cli.pause();
    else this.#cli.resume();
  }

  /** The exit of a process that prints nothing more, which is made to exit where it does not by itself. */
  async #exit(): Promise<ProcessExit> {
    this.#cli.endInput();
    const timer = setTimeout(() => void this.close(), EXIT_AFTER_OUTPUT_MS);
    try {
      return await this.#cli.exit;
    } finally {
      clearTimeout(timer);
    }
  }

  #line(bytes: Uint8Array): void {
    this.#lines++;
    this.#heardTime = performance.now();
    if (isIntricate(bytes)) {
      this.#refuse(bytes.length, "values");
      return;
    }
    const line = decodeLine(bytes);
    if (line.trim() === "") return;
    const message = parseMessage(line);
    if (message !== undefined) this.#message(message, line);
    else if (this.#reader !== undefined) this.#reader.malformed(line);
    else this.#pass(() => this.#interlude.malformed(line));
  }

  #refuse(bytes: number, cause: RefusalCause): void {
    this.#heardTime = performance.now();
    if (this.#reader !== undefined) this.#reader.refused(bytes, cause);
    else this.#pass(() => this.#interlude.refused(bytes, cause));
  }

  #message(message: Message, line: string): void {
    // What it still does once it is to end is nobody's.
    if (this.#reader === undefined && this.#closing !== undefined) return;
    switch (message.type) {
      case "control_response":
        this.#answered(message);
        return;
      case "control_request":
        if (this.#reader !== undefined) this.#reader.asked(message, line);
        else this.#interlude.asked(message, this);
        return;
      case "control_cancel_request":
        this.#withdrawn(message);
        return;
      case "command_lifecycle":
        this.#lifecycle(message);
        return;
    }
    // Each tool's answer is a `user` message too.
    if (message.isReplay === true && this.#echoed(message)) return;
    if (message.type === "system") this.#note(message);
    this.#give(message, line);
  }

  #note(message: Message): void {
    this.tasks.note(message, this.#turnId);
    if (message.subtype === "init") this.#comeUp(message);
  }

  #give(message: Message, line: string): void {
    // The first turn of a process may do without an init: the CLI's refusals do.
    const strayed = !this.#inTurn && this.#turnsBegun > 0 && isOutOfTurn(message);
    if (message.type === "result") this.#inTurn = false;
    if (strayed) this.#stray(message, line);
    else if (this.#reader !== undefined) this.#reader.message(message, line);
    else this.#pass(() => this.#interlude.message(message, line));
  }

  /** Leaves something to the next turn. What it still does once it is to end is nobody's. */
  #pass(leave: () => void): void {
    if (this.#closing !== undefined) return;
    leave();
    if (this.#interlude.isFull) this.#distrust("printed without end");
  }

  #distrust(why: string): void {
    if (this.#closing !== undefined) return;
    this.#reader?.distrusted(why);
    this.#keeper.doubted(this, why);
  }

  #comeUp(message: Message): void {
    this.#turnsBegun++;
    this.#inTurn = true;
    this.tasks.version = messages.init.safeParse(message).data?.claude_code_version ?? "";
    if (this.#reader !== undefined) return;
    if (this.#sessionId === "") this.#keeper.doubted(this, "began to work for nobody");
    else if (++this.#ownWork > MAX_OWN_WORK) this.#stopOwnWork();
    else this.#keeper.ownWork(this);
  }

  /** Each piece is a turn: they would use up all that the session may have, and the disk. */
  #stopOwnWork(): void {
    const why = `began to work by itself more than ${MAX_OWN_WORK} times without a prompt`;
    this.#interlude.keep([
      noticeEvent(NoticeReason.AGENT_WARNING, `The agent ${why}, and was ended`),
    ]);
    this.#distrust(why);
  }

  #stray(message: Message, line: string): void {
    if (this.#reader !== undefined) this.#reader.strayed(message, line);
    else this.#keeper.doubted(this, "spoke out of turn");
  }

  #answered(message: Message): void {
    const { response } = messages.controlResponse.safeParse(message).data ?? {};
    if (response === undefined) return;
    const settle = this.#controls.get(response.request_id);
    settle?.(response.subtype === "success" ? (response.response ?? {}) : undefined);
  }

  #withdrawn(message: Message): void {
    const { request_id } = messages.controlCancel.safeParse(message).data ?? {};
    if (request_id !== undefined) this.#reader?.withdrawn(request_id);
  }

  #lifecycle(message: Message): void {
    const { command_uuid, state } = messages.lifecycle.safeParse(message).data ?? {};
    if (command_uuid !== undefined && state === "started") this.#reader?.taken(command_uuid);
  }

  #echoed(message: Message): boolean {
    const echo = messages.echo.safeParse(message).data;
    if (echo !== undefined) this.#reader?.taken(echo.uuid);
    return echo !== undefined;
  }

  async #end(lingerMs: number): Promise<void> {
    const { processes, log, rungs = STOP_RUNGS } = this.#options;
    const { processId } = this;
    const origin = { processId, cgroup: this.#cgroup, root: this.#cli.pid };
    const family = processes.family({ ...origin, rootLives: () => this.#cli.isUp });
    const leader = this.#cli.exit;
    if (lingerMs > 0) {
      this.#cli.endInput();
      this.resume();
      const hurry = new Promise<boolean>((resolve) => {
        this.#hurry = () => resolve(false);
      });
      if (await Promise.race([ended(family, leader, lingerMs), hurry])) return;
    }
    const gone = await stopFamily(family, leader, () => this.#cli.interrupt(), rungs);
    if (!gone) log.error("processes outlived SIGKILL", { members: await family.members() });
  }

  async #recordGone(): Promise<void> {
    if (this.#cgroup !== undefined) await removeCgroup(this.#cgroup);
    // Where this is not recorded the next start looks for the processes once more.
    await this.#options.registry.recordProcessGone(this.processId).catch(() => {});
    this.#reportGone();
  }
}

/** Begins to measure, in milliseconds, how long it takes to look at so many bytes; what other processes take of it is not in it. */
function stopwatch(bytes: number): () => number {
  const start = performance.now();
  if (bytes < LARGE_BYTES) {
    const mostMs = SMALL_MS.least + SMALL_MS.perByte * bytes;
    return () => Math.min(performance.now() - start, mostMs);
  }
  const cpu = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(cpu);
    return (user + system) / 1000;
  };
}

/** Nobody being left is what was wanted. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
