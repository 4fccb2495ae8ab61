import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Refusal } from "../../errors.ts";
import type {
  EventBatch,
  LeftProcess,
  SessionPlace,
  SteerRequest,
  Store,
  TurnStart,
} from "../store.ts";
import { packCalls } from "./call-batch.ts";
import type { Answer, Call, Method, ReadyMessage } from "./messages.ts";
import { unpackEvents } from "./packed-events.ts";
import type { SqliteDatabase } from "./sqlite-database.ts";

type Result<M extends Method> = Promise<ReturnType<SqliteDatabase[M]>>;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Refusal): void;
}

/** A store in an SQLite file, written by a thread of its own that groups the commits of all turns. */
export class SqliteStore implements Store {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #calls: Call[] = [];
  #nextId = 1;
  #ended: Refusal | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (answers: Answer[]) => this.#settle(answers));
    worker.on("error", (error: Error) => this.#end(`its thread failed: ${error.message}`));
    worker.on("exit", () => this.#end("it is closed"));
  }

  /**
   * Opens the store, making it where it does not exist.
   *
   * @throws Error with a message for the operator where the file cannot be used.
   */
  static async open(path: string): Promise<SqliteStore> {
    const worker = new Worker(new URL(workerFile, import.meta.url), {
      workerData: { path },
      // Its garbage is young, and there is little else.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const [message] = (await once(worker, "message")) as [ReadyMessage];
    if (message.ready) return new SqliteStore(worker);
    await worker.terminate();
    throw new Error(`cannot open the store ${path}: ${message.message}`);
  }

  createTurn(start: TurnStart): Result<"createTurn"> {
    return this.#call("createTurn", [start], start.prompt.length);
  }

  append({ events, ...batch }: EventBatch): Result<"append"> {
    const bytes = events.reduce((sum, event) => sum + event.length, 0);
    return this.#call("append", [batch, events], bytes);
  }

  claimConversation(sessionKey: string, agentSessionId: string): Result<"claimConversation"> {
    return this.#call("claimConversation", [sessionKey, agentSessionId]);
  }

  beginTurn(turnId: string): Result<"beginTurn"> {
    return this.#call("beginTurn", [turnId]);
  }

  findSteer(turnId: string, request: SteerRequest): Result<"findSteer"> {
    return this.#call("findSteer", [turnId, request]);
  }

  recordProcess(process: LeftProcess): Result<"recordProcess"> {
    return this.#call("recordProcess", [process]);
  }

  recordProcessGone(processId: string): Result<"recordProcessGone"> {
    return this.#call("recordProcessGone", [processId]);
  }

  async readEvents(turnId: string, afterSequence: number, maxBytes: number): Promise<Uint8Array[]> {
    return unpackEvents(await this.#call("readEvents", [turnId, afterSequence, maxBytes]));
  }

  getTurn(turnId: string, principal: string, asApprover = false): Result<"getTurn"> {
    return this.#call("getTurn", [turnId, principal, asApprover]);
  }

  listTurns(
    sessionId: string,
    principal: string,
    pageSize: number,
    after: number | undefined,
  ): Result<"listTurns"> {
    return this.#call("listTurns", [sessionId, principal, pageSize, after]);
  }

  getSession(sessionId: string, principal: string): Result<"getSession"> {
    return this.#call("getSession", [sessionId, principal]);
  }

  listSessions(
    principal: string,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Result<"listSessions"> {
    return this.#call("listSessions", [principal, pageSize, after]);
  }

  listChanges(
    sessionId: string,
    principal: string,
    afterCursor: number,
    limit: number,
    sessionKey?: string,
  ): Result<"listChanges"> {
    return this.#call("listChanges", [sessionId, principal, afterCursor, limit, sessionKey]);
  }

  deleteSession(sessionId: string, principal: string, time: number): Result<"deleteSession"> {
    return this.#call("deleteSession", [sessionId, principal, time]);
  }

  removeEndedTurns(before: number, limit: number, time: number): Result<"removeEndedTurns"> {
    return this.#call("removeEndedTurns", [before, limit, time]);
  }

  removeSome(): Result<"removeSome"> {
    return this.#call("removeSome", []);
  }

  listRemovals(): Result<"listRemovals"> {
    return this.#call("listRemovals", []);
  }

  recordRemoved(workspace: string): Result<"recordRemoved"> {
    return this.#call("recordRemoved", [workspace]);
  }

  listLeftTurns(): Result<"listLeftTurns"> {
    return this.#call("listLeftTurns", []);
  }

  listLeftProcesses(): Result<"listLeftProcesses"> {
    return this.#call("listLeftProcesses", []);
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return;
    const exited = once(this.#worker, "exit");
    await this.#call("close", []);
    await exited;
  }

  #call<M extends Method>(method: M, args: Parameters<SqliteDatabase[M]>, bytes = 0): Result<M> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      // What this turn of the event loop still brings goes along.
      if (this.#calls.length === 0) setImmediate(this.#send);
      this.#calls.push({ id, method, args, bytes });
    });
  }

  readonly #send = (): void => {
    const { batch, moved } = packCalls(this.#calls);
    this.#calls = [];
    this.#worker.postMessage(batch, moved);
  };

  #settle(answers: Answer[]): void {
    for (const answer of answers) {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if ("value" in answer) pending?.resolve(answer.value);
      else {
        const { reason, message, details } = answer.failure;
        pending?.reject(new Refusal(reason, message, details));
      }
    }
  }

  #end(why: string): void {
    this.#ended ??= new Refusal("STORAGE", `the store failed: ${why}`, { retryAfterMs: 5000 });
    for (const pending of this.#pending.values()) pending.reject(this.#ended);
    this.#pending.clear();
  }
}

/** The worker runs as this file does: as TypeScript in the repository, compiled in the package. */
const workerFile = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
