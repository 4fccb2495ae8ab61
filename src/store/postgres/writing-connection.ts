import { randomUUID } from "node:crypto";
import type { Client } from "pg";
import type { StoreMethods } from "../store.ts";
import type { EventBatch } from "../writes.ts";
import { afterPlain, isPlain, rowsOf } from "./append.ts";
import { METHODS, type Method, type MethodName } from "./methods.ts";
import { Statements } from "./statements.ts";
import { createTables, forgetWritten, type Tables } from "./tables.ts";
import { failureOf, isFatal, isPassing } from "./write-errors.ts";

/** A write that is asked for. */
export interface WriteCall {
  readonly method: MethodName;
  readonly args: readonly unknown[];
}

/** What came of a write. */
export type WriteAnswer = { readonly value: unknown } | { readonly failure: Error };

/** A commit that was asked for and not answered as it must be: what was written may be there or not. */
export interface CommitDoubt {
  /** What it wrote last. */
  readonly wrote:
    | { readonly turnId: string; readonly sequence: number; readonly event: Uint8Array }
    | { readonly number: number };
  /** What is to be answered where it is there. */
  readonly answers: readonly WriteAnswer[];
}

/** How often what another server was in the way of is done again. */
const ATTEMPTS = 3;

/** Who writes, over all its connections: one process, one at a time. */
export class WriterName {
  readonly id: string = randomUUID();
  /** Of the newest commit that was more than events. */
  number = 0;

  /** By which its connections are known in the database. */
  get application(): string {
    return `breakglass writer ${this.id}`;
  }
}

/**
 * The connection that writes, until it breaks.
 *
 * 1. One commit at a time. What one was to write is in doubt from when it is sent to when it is answered without a warning:
 *    one that came with a warning is on the primary alone, and is lost where that is.
 * 2. A call that is refused or fails leaves nothing of itself, and does not keep others from being committed.
 */
export class WritingConnection {
  readonly #writer: WriterName;
  readonly #statements: Statements;
  readonly #tables: Tables;
  #isBroken = false;
  #isWarned = false;
  #doubt: CommitDoubt | undefined;

  constructor(client: Client, writer: WriterName, clock: (() => number) | undefined) {
    this.#writer = writer;
    this.#statements = new Statements(client);
    this.#tables = createTables(this.#statements, clock);
    const broken = () => {
      this.#isBroken = true;
    };
    client.on("error", broken).on("end", broken);
    client.on("notice", ({ severity }) => {
      if (severity === "WARNING") this.#isWarned = true;
    });
  }

  /** What is in doubt where a commit failed. Undefined: nothing of it was written. */
  get doubt(): CommitDoubt | undefined {
    return this.#doubt;
  }

  /**
   * Commits writes together. Undefined: nothing was written, and it may be for one call's sake that the others were not.
   *
   * @throws Error where the connection is of no use any more: see `doubt`.
   */
  async commit(calls: readonly WriteCall[]): Promise<readonly WriteAnswer[] | undefined> {
    return (await this.#commitPlain(calls)) ?? (await this.#commitTogether(calls));
  }

  /** Plain events of one lease, in one statement. Undefined: that is not what they are, or not all of them can be written. */
  async #commitPlain(calls: readonly WriteCall[]): Promise<readonly WriteAnswer[] | undefined> {
    const batches = plainBatchesOf(calls);
    if (batches === undefined) return undefined;
    const epoch = calls[0]!.args[1] as number;
    const after = afterPlain(this.#tables, batches, epoch);
    if (after === undefined) return undefined;
    const { turnId, firstSequence, events } = batches.at(-1)!;
    const event = events.at(-1)!;
    const wrote = { turnId, sequence: firstSequence - 1 + events.length, event };
    const answers = calls.map(() => ({ value: undefined }));
    try {
      const held = await this.#certain({ wrote, answers }, () =>
        this.#tables.events.appendUnder(epoch, rowsOf(batches)),
      );
      if (!held) return undefined;
    } catch (error) {
      this.#rethrowIfBroken(error);
      this.#doubt = undefined;
      forgetWritten(this.#tables);
      return undefined;
    }
    for (const [id, turn] of after) this.#tables.appended.set(id, turn);
    return answers;
  }

  async #commitTogether(calls: readonly WriteCall[]): Promise<readonly WriteAnswer[] | undefined> {
    try {
      this.#tables.leases.forget();
      const answers: WriteAnswer[] = [];
      let before = "BEGIN";
      for (const call of calls) {
        await this.#statements.exec(`${before}; SAVEPOINT call`);
        answers.push(await this.#write(call));
        before = "RELEASE SAVEPOINT call";
      }
      const number = ++this.#writer.number;
      const commit = `${markSql(this.#writer.id, number)}; COMMIT`;
      await this.#certain({ wrote: { number }, answers }, () => this.#statements.exec(commit));
      return answers;
    } catch (error) {
      this.#rethrowIfBroken(error);
      this.#doubt = undefined;
      forgetWritten(this.#tables);
      await this.#statements.exec("ROLLBACK");
      return calls.length === 1 ? [{ failure: failureOf(error) }] : undefined;
    }
  }

  /** Does a call behind a savepoint. 2. */
  async #write({ method, args }: WriteCall): Promise<WriteAnswer> {
    const { perform } = METHODS[method] as Method;
    for (let attempt = 1; ; attempt++) {
      try {
        return { value: await perform(this.#tables, ...args) };
      } catch (error) {
        this.#rethrowIfBroken(error);
        await this.#statements.exec("ROLLBACK TO SAVEPOINT call");
        forgetWritten(this.#tables);
        if (!isPassing(error) || attempt === ATTEMPTS) return { failure: failureOf(error) };
      }
    }
  }

  /** 1. */
  async #certain<T>(doubt: CommitDoubt, commit: () => Promise<T>): Promise<T> {
    this.#doubt = doubt;
    this.#isWarned = false;
    const answer = await commit();
    if (this.#isWarned) {
      this.#isBroken = true;
      throw new Error("a commit was answered with a warning: it is not where it has to be");
    }
    this.#doubt = undefined;
    return answer;
  }

  #rethrowIfBroken(error: unknown): void {
    if (this.#isBroken || isFatal(error)) throw error;
  }
}

/** The batches of calls that append plain events under one lease. Undefined: they are not all such. */
function plainBatchesOf(calls: readonly WriteCall[]): EventBatch[] | undefined {
  const batches: EventBatch[] = [];
  for (const { method, args } of calls) {
    if (method !== "append") return undefined;
    const [batch, epoch] = args as Parameters<StoreMethods["append"]>;
    if (epoch !== calls[0]!.args[1] || !isPlain(batch)) return undefined;
    batches.push(batch);
  }
  return batches;
}

/** Writes the number that a transaction is known by. With its COMMIT it is one message: both are ours, and need no parameters. */
function markSql(id: string, number: number): string {
  return `INSERT INTO writers (writer_id, number) VALUES ('${id}', ${number})
    ON CONFLICT (writer_id) DO UPDATE SET number = excluded.number, time = excluded.time`;
}
