import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { setTimeout as delay, setImmediate as nextLoop } from "node:timers/promises";
import { ByteTail } from "../../stream/byte-tail.ts";
import { LAUNCHER, type LaunchPlan, launch } from "./cgroup.ts";

const STDERR_TAIL_BYTES = 8 * 1024;
/** `exit` was measured 4 s before `close` where a grandchild held stdout; what comes so late is nobody's output. */
const CLOSE_AFTER_EXIT_MS = 500;
/** The most that a pipe can hold of what a process wrote before it exited. */
const PIPE_BYTES = 1024 * 1024;
/** A pipe that was read empty so many times has nothing left of what it wrote. */
const EMPTIED_TIMES = 3;

/** A chunk that is larger is worth to be freed by hand. */
const LARGE_CHUNK_BYTES = 16 * 1024;

const NOTHING = Buffer.alloc(0);

/** How a shell says that it cannot become a program (POSIX, 2.8.2). */
const LAUNCH_ERRORS: ReadonlyMap<number, string> = new Map([
  [126, "EACCES"],
  [127, "ENOENT"],
]);

/** How a process ended. */
export interface ProcessExit {
  /** The status, where it exited by itself. */
  readonly exitCode: number | null;
  /** The signal that ended it. */
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started at all. */
  readonly startError?: NodeJS.ErrnoException;
}

/** What a process is started in. */
export interface PipedProcessOptions extends LaunchPlan {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A process that is spoken with over its pipes: they are always drained, its stdin never throws, its end comes exactly once. */
export class PipedProcess {
  /** At the limit of file descriptors it is without streams, and tells so by an `error` event. */
  readonly #child: ChildProcess | undefined;
  readonly #stderr = new ByteTail(STDERR_TAIL_BYTES);
  /** Of what it printed, what is to be given once more. */
  #untaken: Buffer = NOTHING;
  /** The chunk that it is the end of. */
  #chunk: Buffer = NOTHING;
  #giveUntaken: () => void = () => {};
  #next: NodeJS.Immediate | undefined;
  #isPaused = false;
  /** How it ended; never rejects. */
  readonly exit: Promise<ProcessExit>;

  /** @param path - The executable's absolute path. Undefined: there is none. */
  constructor(
    path: string | undefined,
    args: readonly string[],
    { cgroup, umask, user, ...options }: PipedProcessOptions,
  ) {
    if (path === undefined) {
      const startError = Object.assign(new Error("it is not on PATH"), { code: "ENOENT" });
      this.exit = Promise.resolve({ exitCode: null, signal: null, startError });
      return;
    }
    const [program, ...all] = launch({ cgroup, umask, user }, path, args);
    try {
      // A group and a session of its own: a signal to the server's terminal is not one to the agent.
      this.#child = spawn(program, all, { ...options, detached: true, stdio: "pipe" });
    } catch (error) {
      // spawn throws for an argument with a NUL or of 128 KiB, and reports the rest by an event.
      this.exit = Promise.resolve({ exitCode: null, signal: null, startError: error as Error });
      return;
    }
    this.exit = exitOf(this.#child).then((exit) => this.#ofLauncher(exit) ?? exit);
    this.#child.stdin?.on("error", () => {}); // EPIPE: the exit tells what happened.
    this.#child.stdout?.on("error", () => {});
    this.#child.stderr?.on("error", () => {});
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#stderr.push(chunk));
  }

  /** The leader's process id; undefined where it could not be started. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether the leader was started and has not been seen to exit: until then nobody else can have its process id. */
  get isUp(): boolean {
    const child = this.#child;
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The end of what it wrote to stderr. */
  get stderrTail(): string {
    return this.#stderr.text;
  }

  /**
   * Writes lines to its stdin. What it no longer reads is lost, and its exit says so.
   *
   * @param done - Called once the lines are in the pipe, or lost.
   */
  write(lines: string, done: () => void = () => {}): void {
    const stdin = this.#child?.stdin;
    if (stdin?.writable) stdin.write(lines, done);
    else done();
  }

  /** Ends its stdin: after what it is doing there is nothing more to come. */
  endInput(): void {
    this.#child?.stdin?.end();
  }

  /**
   * Hands what it prints to `take`, which answers what it has not taken and gets it again behind everybody else's turn.
   * Resolves when nothing more comes. To be called once.
   */
  read(take: (chunk: Buffer) => Buffer): Promise<void> {
    const stdout = this.#child?.stdout;
    if (!stdout) return Promise.resolve();
    return new Promise((resolve) => {
      let hasEnded = false;
      const give = (chunk: Buffer) => {
        this.#untaken = NOTHING;
        this.#untaken = take(chunk);
        if (this.#untaken.length === 0) this.#release();
        if (this.#untaken.length > 0) this.#goOn();
        else if (hasEnded) resolve();
        else if (!this.#isPaused) stdout.resume();
      };
      this.#giveUntaken = () => {
        if (!this.#isPaused) give(this.#untaken);
      };
      // When a process has exited Node has its pipes flow, paused or not.
      const receive = (chunk: Buffer) => {
        if (!this.#isPaused && this.#untaken.length === 0) {
          this.#chunk = chunk;
          return give(chunk);
        }
        this.#chunk = NOTHING;
        this.#untaken = Buffer.concat([this.#untaken, chunk]);
        this.#goOn();
      };
      const finish = () => {
        hasEnded = true;
        stdout.off("data", receive).off("end", finish).off("close", finish);
        if (this.#untaken.length === 0) resolve();
      };
      // Cut, after the process had ended, it closes without an end: `exit` tells how.
      stdout.on("data", receive).on("end", finish).on("close", finish);
    });
  }

  /** Stops reading for now: it prints no faster than it is read. */
  pause(): void {
    this.#isPaused = true;
    this.#child?.stdout?.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#isPaused = false;
    if (this.#untaken.length > 0) this.#goOn();
    else this.#child?.stdout?.resume();
  }

  /**
   * Frees the memory of a chunk that was taken, all of it. Left to the collector it is megabytes that stand outside of its
   * heap: for each 64 of them it collects all there is at once, which takes 10 to 30 ms of everybody's time (measured).
   */
  #release(): void {
    const { length, buffer } = this.#chunk;
    this.#chunk = NOTHING;
    // An empty part of it is one all the same.
    this.#untaken = NOTHING;
    // A part of more may be somebody else's too.
    if (length > LARGE_CHUNK_BYTES && length === buffer.byteLength) {
      (buffer as ArrayBuffer).transfer(0);
    }
  }

  /** Gives what was not taken once more, before anything else is read. */
  #goOn(): void {
    this.#child?.stdout?.pause();
    if (this.#isPaused) return;
    clearImmediate(this.#next);
    this.#next = setImmediate(this.#giveUntaken);
  }

  /** The launcher could not become the program: as if spawn had failed, which it does where there is no launcher. */
  #ofLauncher({ exitCode }: ProcessExit): ProcessExit | undefined {
    const code = exitCode === null ? undefined : LAUNCH_ERRORS.get(exitCode);
    if (code === undefined || !this.stderrTail.startsWith(`${LAUNCHER}: `)) return undefined;
    const startError = Object.assign(new Error(this.stderrTail.trim()), { code });
    return { exitCode: null, signal: null, startError };
  }
}

function exitOf(child: ChildProcess): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.once("error", (startError: NodeJS.ErrnoException) => {
      if (child.pid === undefined) resolve({ exitCode: null, signal: null, startError });
    });
    child.once("exit", (exitCode, signal) => {
      const closed = new AbortController();
      child.once("close", () => {
        closed.abort();
        resolve({ exitCode, signal });
      });
      void cutOnceQuiet(child, closed.signal);
    });
  });
}

/**
 * Cuts the pipes of a process that has exited, once nothing more comes of them: what is open then is a grandchild's.
 *
 * Not by time alone: a loop that was held up runs its timers before it looks at its pipes, and the last lines of the
 * process, its result among them, would be lost (measured under load: 8 turns of 800).
 */
async function cutOnceQuiet({ stdout, stderr }: ChildProcess, closed: AbortSignal): Promise<void> {
  const pipe = stdout as Socket | null;
  if (pipe === null) return;
  const limit = pipe.bytesRead + PIPE_BYTES;
  let emptied = 0;
  for (let before = -1; before !== pipe.bytesRead || pipe.readableLength > 0; ) {
    // A grandchild may print now and then for as long as it lives.
    if (pipe.bytesRead > limit || emptied >= EMPTIED_TIMES) break;
    before = pipe.bytesRead;
    await delay(CLOSE_AFTER_EXIT_MS);
    await nextLoop();
    if (closed.aborted) return;
    if (!pipe.isPaused() && pipe.readableLength === 0) emptied++;
  }
  pipe.destroy();
  stderr?.destroy();
}
