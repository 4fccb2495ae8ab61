import type { Client } from "pg";
import { Refusal, storageFailed } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { NODE_TIMERS, type Timers } from "../../stream/timers.ts";
import { CommitCounts } from "../common/commit-counts.ts";
import type { StoreLoad } from "../store-load.ts";
import type { TranscriptSegment } from "../transcripts.ts";
import type { EventBatch } from "../writes.ts";
import { isThere } from "./commit-doubt.ts";
import type { MethodName } from "./methods.ts";
import type { Primary } from "./primary.ts";
import { failureOf } from "./write-errors.ts";
import {
  type CommitDoubt,
  type WriteAnswer,
  type WriteCall,
  WriterName,
  WritingConnection,
} from "./writing-connection.ts";

/** Bounds how large a commit can get, in bytes of events and in calls. */
const GROUP_BYTES = 1024 * 1024;
const GROUP_CALLS = 1000;
/** How long the database may take over a commit until its connection is given up and it is asked what is there. */
const COMMIT_MS = 30_000;
/** How long the database is waited for between two attempts to reach it. */
const RETRY_MS = 250;
/** How long what is not an event waits for a database that cannot be reached, and a closing store for all of it. */
const PATIENCE_MS = 5000;

interface Pending extends WriteCall {
  readonly since: number;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * All that one process writes, in the order in which it is asked for: what has come while a commit was under way shares the
 * next one.
 *
 * 1. One commit at a time. After one that failed or is in doubt nothing is sent until the database was asked what is there.
 * 2. Nothing is answered before its commit was answered without a warning, or was found to be there.
 * 3. Events wait for a database that cannot be reached, as long as it takes: they are late and not lost. Everything else is
 *    refused after `PATIENCE_MS`, but what is in doubt.
 */
export class Writer {
  readonly #primary: Primary;
  readonly #log: Log;
  readonly #clock: (() => number) | undefined;
  readonly #timers: Timers;
  readonly #name = new WriterName();
  readonly #counts = new CommitCounts();
  #queue: Pending[] = [];
  #group: Pending[] = [];
  /** So many of the next are done each by itself, so that none fails for another's sake. */
  #singly = 0;
  #connection: { readonly client: Client; readonly writing: WritingConnection } | undefined;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #lost: number | undefined;

  constructor(primary: Primary, log: Log, clock: (() => number) | undefined, timers = NODE_TIMERS) {
    this.#primary = primary;
    this.#log = log;
    this.#clock = clock;
    this.#timers = timers;
  }

  get load(): StoreLoad {
    return { waitingCalls: this.#queue.length + this.#group.length, ...this.#counts.load };
  }

  call(method: MethodName, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closing !== undefined) return reject(closed());
      this.#queue.push({ method, args, since: this.#timers.now(), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /**
   * Resolves when all that was asked for before is answered.
   *
   * @throws Refusal STORAGE where the database cannot be reached for so long that nobody is to wait for it.
   */
  async settled(): Promise<void> {
    const last = this.#queue.at(-1) ?? this.#group.at(-1);
    if (last === undefined) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { resolve: done, reject: failed } = last;
    last.resolve = (value) => {
      done(value);
      resolve();
    };
    last.reject = (error) => {
      failed(error);
      resolve();
    };
    const watch = this.#timers.setInterval(() => {
      if (this.#lost !== undefined) reject(storageFailed("its database cannot be reached")); // 3.
    }, PATIENCE_MS);
    await promise.finally(() => this.#timers.clear(watch));
  }

  /** Has all that was asked for done, as long as the database takes it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      const late = this.#timers.delay(PATIENCE_MS, { ref: false });
      await Promise.race([this.#running, late]);
      this.#isClosed = true;
      for (const call of [...this.#group, ...this.#queue]) call.reject(closed());
      this.#queue = [];
      await this.#connection?.client.end().catch(() => {});
    })();
    return this.#closing;
  }

  async #run(): Promise<void> {
    // What this turn of the event loop still brings goes along.
    await this.#timers.nextTurn();
    while (this.#queue.length > 0 && !this.#isClosed) {
      this.#group = this.#take();
      await this.#commit();
    }
    this.#running = undefined;
  }

  #take(): Pending[] {
    if (this.#singly > 0) {
      this.#singly--;
      return this.#queue.splice(0, 1);
    }
    let bytes = 0;
    let calls = 0;
    while (calls < this.#queue.length && calls < GROUP_CALLS && bytes < GROUP_BYTES) {
      bytes += bytesOf(this.#queue[calls++]!);
    }
    return this.#queue.splice(0, calls);
  }

  /** Has the group committed, over as many connections as it takes. */
  async #commit(): Promise<void> {
    while (this.#group.length > 0 && !this.#isClosed) {
      const connection = await this.#connected(undefined);
      if (connection === undefined) continue;
      const begun = this.#timers.now();
      const watch = this.#timers.setTimeout(() => destroy(connection.client), COMMIT_MS);
      try {
        const answers = await connection.writing.commit(this.#group);
        if (answers === undefined) return this.#split();
        this.#counts.add(this.#timers.now() - begun, this.#group.length);
        return this.#settle(answers);
      } catch (error) {
        const { doubt } = connection.writing;
        this.#log.warn("the connection to the store's database is lost", {
          error,
          isInDoubt: doubt !== undefined,
        });
        this.#drop();
        if (doubt !== undefined && (await this.#ask(doubt))) return this.#settle(doubt.answers);
      } finally {
        this.#timers.clear(watch);
      }
    }
  }

  /** Whether what is in doubt is there. 1. */
  async #ask(doubt: CommitDoubt): Promise<boolean> {
    while (!this.#isClosed) {
      const connection = await this.#connected(doubt);
      if (connection === undefined) continue;
      const watch = this.#timers.setTimeout(() => destroy(connection.client), COMMIT_MS);
      try {
        const isDone = await isThere(connection.client, this.#name, doubt, this.#timers);
        this.#log.info("a commit that was in doubt was asked about", { isThere: isDone });
        return isDone;
      } catch (error) {
        this.#log.warn("what is in the store's database cannot be asked", { error });
        this.#drop();
      } finally {
        this.#timers.clear(watch);
      }
    }
    return false;
  }

  /** The connection, or a new one. Undefined: the database cannot be reached now. */
  async #connected(doubt: CommitDoubt | undefined) {
    if (this.#connection !== undefined) return this.#connection;
    try {
      const client = await this.#primary.connect(this.#name.application);
      const writing = new WritingConnection(client, this.#name, this.#clock);
      this.#connection = { client, writing };
      if (this.#lost !== undefined) {
        const awayForMs = Math.round(this.#timers.now() - this.#lost);
        this.#log.info("the store's database is there again", { awayForMs });
      }
      this.#lost = undefined;
      return this.#connection;
    } catch (error) {
      if (this.#lost === undefined) this.#log.error("the store's database is away", { error });
      this.#lost ??= this.#timers.now();
      this.#refuseLate(error, doubt !== undefined);
      await this.#timers.delay(RETRY_MS);
      return undefined;
    }
  }

  // 3.
  #refuseLate(error: unknown, isInDoubt: boolean): void {
    const isLate = ({ method, since }: Pending) =>
      method !== "append" && this.#timers.now() - since > PATIENCE_MS;
    const refuse = (calls: Pending[]) =>
      calls.filter((call) => {
        if (!isLate(call)) return true;
        call.reject(failureOf(error));
        return false;
      });
    if (!isInDoubt) this.#group = refuse(this.#group);
    this.#singly = 0;
    this.#queue = refuse(this.#queue);
  }

  #split(): void {
    this.#singly = this.#group.length;
    this.#queue.unshift(...this.#group);
    this.#group = [];
  }

  // 2.
  #settle(answers: readonly WriteAnswer[]): void {
    const group = this.#group;
    // Who asks now has nothing to wait for.
    this.#group = [];
    for (const [index, call] of group.entries()) {
      const answer = answers[index]!;
      if ("failure" in answer) call.reject(answer.failure);
      else call.resolve(answer.value);
    }
  }

  #drop(): void {
    if (this.#connection !== undefined) destroy(this.#connection.client);
    this.#connection = undefined;
  }
}

function bytesOf({ method, args }: WriteCall): number {
  if (method === "recordSegment") return (args[0] as TranscriptSegment).bytes.length;
  if (method !== "append") return 0;
  return (args[0] as EventBatch).events.reduce((sum, { length }) => sum + length, 0);
}

/** Nothing is sent any more: the server may be waiting for what it is never told. */
function destroy(client: Client): void {
  (
    client as unknown as { connection: { stream: { destroy(): void } } }
  ).connection.stream.destroy();
}

function closed(): Refusal {
  return new Refusal("STORAGE", "the store failed: it is closed", { retryAfterMs: 5000 });
}
