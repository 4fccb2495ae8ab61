import { randomUUID } from "node:crypto";
import { PROCESS_ID_VARIABLE } from "../../config/environment.ts";
import type { Log } from "../../log.ts";
import { byDeadline } from "../../stream/deadline.ts";
import type { ProcessMemory } from "../agent-memory.ts";
import type { OutputScheduler } from "../output-scheduler.ts";
import type { AgentUser } from "./agent-user.ts";
import { killCgroup, removeCgroup } from "./cgroup.ts";
import { PacedReader } from "./paced-reader.ts";
import { PipedProcess, type ProcessExit } from "./piped-process.ts";
import type { PrintedLines } from "./printed-lines.ts";
import type { ProcessFamilies } from "./process-families.ts";
import type { ProcessFamily } from "./process-family.ts";
import type { ProcessRecord, ProcessRegistry } from "./process-registry.ts";
import { ended, STOP_RUNGS, type StopRungs, stopFamily } from "./stop-ladder.ts";

/** One that closed its stdout will print nothing more: it gets this long to exit. */
const EXIT_AFTER_OUTPUT_MS = 5000;

/** What is run. */
export interface AgentProgram {
  /** The executable's absolute path. Undefined: there is none, which the exit tells. */
  readonly path: string | undefined;
  readonly args: readonly string[];
  /** The directory that it works in. */
  readonly cwd: string;
  /** Its whole environment, but for the mark of its family. */
  readonly env: Readonly<Record<string, string>>;
  /** The lines on its stdin that ask it to stop what it does; its stdin ends behind them. */
  readonly stopRequest: string;
}

/** What a process is started for, and with. */
export interface ProcessStart extends Omit<ProcessRecord, "processId"> {
  readonly program: AgentProgram;
  /** What is kept on its behalf counts in it. Whoever has it started closes it. */
  readonly memory: ProcessMemory;
}

/** What the processes of one server share. */
export interface ProcessSurroundings {
  readonly registry: ProcessRegistry;
  readonly families: ProcessFamilies;
  readonly scheduler: OutputScheduler;
  readonly log: Log;
  /** The longest line that is read. */
  readonly maxLineBytes: number;
  /** What their files are made without. Undefined: the server's own umask. */
  readonly umask?: number | undefined;
  /** Whom they run as. Undefined: the server's own user. */
  readonly user?: AgentUser | undefined;
  /** How long each rung of the stop ladder waits. */
  readonly rungs?: StopRungs;
}

/** Takes what a process prints, from its start to its end. Must not throw. */
export interface ProcessOutput extends PrintedLines {
  /** It has ended; nothing more comes. */
  exited(exit: ProcessExit): void;
}

/**
 * A process of an agent, with all that it starts, which is spoken with in lines.
 *
 * 1. It is on record before it is started, and until nothing that it started is left.
 * 2. All that it prints is read, from its start to its end, and no faster than whoever takes it wants.
 * 3. Whatever way it ends, it is closed once, and `gone` resolves when nothing that it started is left.
 */
export class AgentProcess {
  readonly processId: string;
  readonly memory: ProcessMemory;
  /** Resolves when no process is left and that is recorded. Never rejects. */
  readonly gone: Promise<void>;
  readonly #surroundings: ProcessSurroundings;
  readonly #pipes: PipedProcess;
  readonly #reader: PacedReader;
  readonly #stopRequest: string;
  readonly #cgroup: string | undefined;
  readonly #family: ProcessFamily;
  readonly #reportGone: () => void;
  #closing: Promise<void> | undefined;
  readonly #hurried = Promise.withResolvers<false>();

  /**
   * Records that there is to be a process, and starts it.
   *
   * @param reader - Makes what takes its output, before any comes.
   * @returns what was made.
   * @throws what the registry throws.
   */
  static async start<T extends ProcessOutput>(
    start: ProcessStart,
    surroundings: ProcessSurroundings,
    reader: (process: AgentProcess) => T,
  ): Promise<T> {
    const processId = randomUUID();
    const { sessionKey, workspace } = start;
    // 1.
    await surroundings.registry.recordProcess({ processId, sessionKey, workspace });
    const process = new AgentProcess(processId, start, surroundings);
    const output = reader(process);
    void process.#read(output);
    return output;
  }

  private constructor(
    processId: string,
    { program, memory, sessionKey }: ProcessStart,
    surroundings: ProcessSurroundings,
  ) {
    const { path, args, cwd, env, stopRequest } = program;
    this.processId = processId;
    this.memory = memory;
    this.#surroundings = surroundings;
    this.#stopRequest = stopRequest;
    const gone = Promise.withResolvers<void>();
    this.gone = gone.promise;
    this.#reportGone = gone.resolve;
    this.#cgroup = surroundings.families.createCgroup(processId);
    const { umask, user, families } = surroundings;
    const marked = { ...env, [PROCESS_ID_VARIABLE]: processId };
    const plan = { cgroup: this.#cgroup, umask, user };
    this.#pipes = new PipedProcess(path, args, { cwd, env: marked, ...plan });
    const origin = { processId, cgroup: this.#cgroup, root: this.#pipes.pid };
    this.#family = families.family({ ...origin, rootLives: () => this.#pipes.isUp });
    families.peers.enter(processId, this.#family, sessionKey);
    this.#reader = new PacedReader(this.#pipes, memory.lines, surroundings.scheduler);
  }

  /** Whether it is being ended, or has been. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** How long it has printed nothing, in milliseconds. */
  get silentMs(): number {
    return this.#reader.silentMs;
  }

  /** The end of what it wrote to stderr. */
  get stderrTail(): string {
    return this.#pipes.stderrTail;
  }

  /** It works for a session from now on. */
  assign(sessionKey: string): void {
    this.#surroundings.families.peers.assign(this.processId, sessionKey);
  }

  /** Writes lines to it. What it no longer reads is lost, and its end says so. */
  write(lines: string): void {
    this.#pipes.write(lines);
  }

  /** Answers what it asked. False, having written nothing, where it asks on without reading the answers. */
  reply(line: string): boolean {
    this.#reader.answered();
    const { replies } = this.memory;
    const bytes = Buffer.byteLength(line);
    if (!replies.take(bytes)) return false;
    this.#pipes.write(line, () => replies.giveBack(bytes));
    return true;
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.#reader.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#reader.resume();
  }

  /**
   * Ends it, once: gives it `lingerMs` to finish and to exit by itself, then takes the ladder. A later call can only
   * shorten the time. Returns `gone`.
   */
  close(lingerMs = 0): Promise<void> {
    if (lingerMs === 0) this.#hurried.resolve(false);
    // 3.
    this.#closing ??= this.#end(lingerMs).then((isGone) => this.#recordGone(isGone));
    this.#reader.finish();
    return this.gone;
  }

  /** Kills what it can, without waiting for anything. */
  killNow(): void {
    const { pid } = this.#pipes;
    const cgroup = this.#cgroup;
    if (cgroup !== undefined) quietly(() => killCgroup(cgroup));
    if (pid !== undefined) quietly(() => process.kill(-pid, "SIGKILL"));
  }

  async #read(output: ProcessOutput): Promise<void> {
    // 2.
    await this.#reader.read(this.#surroundings.maxLineBytes, output);
    output.exited(await this.#exit());
    void this.close();
  }

  /** The exit of a process that prints nothing more, which is made to exit where it does not by itself. */
  async #exit(): Promise<ProcessExit> {
    this.#pipes.endInput();
    const exit = await byDeadline(this.#pipes.exit, EXIT_AFTER_OUTPUT_MS, undefined);
    if (exit === undefined) void this.close();
    return exit ?? this.#pipes.exit;
  }

  /** Answers false where a process outlived it. */
  async #end(lingerMs: number): Promise<boolean> {
    const { log, rungs = STOP_RUNGS } = this.#surroundings;
    const family = this.#family;
    const leader = this.#pipes.exit;
    if (lingerMs > 0) {
      this.#pipes.endInput();
      if (await Promise.race([ended(family, leader, lingerMs), this.#hurried.promise])) return true;
    }
    const gone = await stopFamily(family, leader, () => this.#askToStop(), rungs);
    if (!gone) log.error("processes outlived SIGKILL", { members: await family.members() });
    return gone;
  }

  #askToStop(): void {
    this.#pipes.write(this.#stopRequest);
    this.#pipes.endInput();
  }

  async #recordGone(isGone: boolean): Promise<void> {
    if (isGone) await this.#surroundings.families.left(this.processId);
    if (this.#cgroup !== undefined) await removeCgroup(this.#cgroup);
    // Where this is not recorded the next start looks for the processes once more.
    await this.#surroundings.registry.recordProcessGone(this.processId).catch(() => {});
    this.#reportGone();
  }
}

/** Nobody being left is what was wanted. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {}
}
