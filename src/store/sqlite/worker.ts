import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { CommitCounts } from "../common/commit-counts.ts";
import { type CallBatch, unpackCalls } from "./call-batch.ts";
import { commit, methodOf, read } from "./call-group.ts";
import type { Answer, Call, ReadyMessage } from "./messages.ts";
import type { MethodName } from "./methods.ts";
import { memoryOf } from "./packed-events.ts";
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
const counts = new CommitCounts(workerData.commitCounts as SharedArrayBuffer);

try {
  const database = new SqliteDatabase(workerData.path as string);
  const methods = Object.keys(database.methods) as MethodName[];
  port.postMessage({ ready: true, methods } satisfies ReadyMessage);
  port.on("message", (first: CallBatch) => {
    for (const group of groupsOf(database, first)) serve(database, group);
  });
} catch (error) {
  port.postMessage({ ready: false, message: explainSqliteError(error) } satisfies ReadyMessage);
}

/** All that has arrived, in groups that are committed together. */
function* groupsOf(database: SqliteDatabase, first: CallBatch): Generator<Call[]> {
  let group: Call[] = [];
  let bytes = 0;
  for (let batch: CallBatch | undefined = first; batch !== undefined; batch = nextBatch()) {
    for (const call of unpackCalls(batch)) {
      group.push(call);
      bytes += methodOf(database, call).bytes?.(...call.args) ?? 0;
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

function serve(database: SqliteDatabase, group: readonly Call[]): void {
  const isWrite = (call: Call) => methodOf(database, call).kind === "write";
  // Before anything is read: no turn waits for its readers.
  answer(commitTimed(database, group.filter(isWrite)));
  answer(group.filter((call) => !isWrite(call)).map((call) => read(database, call)));
  if (group.some((call) => call.method === "close")) port.close();
}

function commitTimed(database: SqliteDatabase, writes: readonly Call[]): Answer[] {
  const begun = performance.now();
  const answers = commit(database, writes);
  if (writes.length > 0) counts.add(performance.now() - begun, writes.length);
  return answers;
}

function answer(answers: readonly Answer[]): void {
  if (answers.length === 0) return;
  const moved = answers.flatMap((one) => ("events" in one ? memoryOf(one.events) : []));
  port.postMessage(answers, moved);
}
