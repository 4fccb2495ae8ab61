import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Refusal } from "../../errors.ts";
import { type CallBatch, unpackCalls } from "./call-batch.ts";
import type { Answer, Call, Failure, ReadyMessage } from "./messages.ts";
import { isWrite } from "./messages.ts";
import { isPackedEvents, memoryOf } from "./packed-events.ts";
import { SqliteDatabase } from "./sqlite-database.ts";
import { explainSqliteError } from "./sqlite-failure.ts";

/**
 * The thread that owns the database.
 *
 * Whatever has arrived while a commit was under way shares the next one, so that many turns cost few fsyncs, and none of
 * them holds up the thread that serves clients.
 */
const port = parentPort!;
/** Bounds how long a commit can get: about 10 ms of inserts. */
const GROUP_BYTES = 1024 * 1024;

let database: SqliteDatabase;
try {
  database = new SqliteDatabase(workerData.path as string);
  port.postMessage({ ready: true } satisfies ReadyMessage);
  port.on("message", (first: CallBatch) => {
    for (const group of groupsOf(first)) serve(group);
  });
} catch (error) {
  port.postMessage({ ready: false, message: explainSqliteError(error) } satisfies ReadyMessage);
}

/** All that has arrived, in groups that are committed together. */
function* groupsOf(first: CallBatch): Generator<Call[]> {
  let group: Call[] = [];
  let bytes = 0;
  for (let batch: CallBatch | undefined = first; batch !== undefined; batch = nextBatch()) {
    for (const call of unpackCalls(batch)) {
      group.push(call);
      bytes += call.bytes;
      if (bytes < GROUP_BYTES) continue;
      yield group;
      group = [];
      bytes = 0;
    }
  }
  if (group.length > 0) yield group;
}

function nextBatch(): CallBatch | undefined {
  return receiveMessageOnPort(port)?.message as CallBatch | undefined;
}

function serve(group: Call[]): void {
  // Before anything is read: no turn waits for its readers.
  answer(commit(group.filter((call) => isWrite(call.method))));
  answer(group.filter((call) => !isWrite(call.method)).map(perform));
  if (group.some((call) => call.method === "close")) port.close();
}

function answer(answers: Answer[]): void {
  if (answers.length > 0) port.postMessage(answers, answers.flatMap(movedMemory));
}

function movedMemory(answer: Answer): ArrayBuffer[] {
  return "value" in answer && isPackedEvents(answer.value) ? memoryOf(answer.value) : [];
}

/** Performs writes in one transaction; where that fails, each in its own, so that none fails for another's sake. */
function commit(writes: Call[]): Answer[] {
  if (writes.length === 0) return [];
  try {
    return database.transaction(() => writes.map(perform));
  } catch (error) {
    if (writes.length > 1) return writes.flatMap((call) => commit([call]));
    return writes.map((call) => ({ id: call.id, failure: storage(error) }));
  }
}

function perform(call: Call): Answer {
  try {
    const method = database[call.method] as (...args: readonly unknown[]) => unknown;
    return { id: call.id, value: method.apply(database, [...call.args]) };
  } catch (error) {
    if (error instanceof Refusal) {
      const { reason, message, details } = error;
      return { id: call.id, failure: { reason, message, details } };
    }
    if (isWrite(call.method)) throw error; // Rolls the transaction back.
    return { id: call.id, failure: storage(error) };
  }
}

function storage(error: unknown): Failure {
  return {
    reason: "STORAGE",
    message: `the store failed: ${explainSqliteError(error)}`,
    details: { retryAfterMs: 5000 },
  };
}
