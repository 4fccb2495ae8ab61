import { constants, setPriority } from "node:os";
import { serialize } from "node:v8";
import { parentPort } from "node:worker_threads";
import { answerCalls } from "../../stream/asked-thread.ts";
import { prepareLine } from "./prepare-line.ts";

/** A line that is to be read, on its way to the thread. */
export interface LongLineCall {
  /** In memory that can be made smaller. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly maxEventBytes: number;
}

/** What it comes to: each part serialized, so that whoever gets it need not have all of them at once. */
export type LongLineAnswer = readonly Uint8Array<ArrayBuffer>[];

/*
 * The thread that reads lines which would hold up the one that serves clients. Where there are more threads than processors
 * it is this one that waits. Linux takes a process's priority for that of the thread that asks; others do not.
 */
if (process.platform === "linux") setPriority(0, constants.priority.PRIORITY_LOW);

answerCalls<LongLineCall, LongLineAnswer>(parentPort!, ({ bytes, maxEventBytes }) => {
  const parts = prepareLine(bytes, maxEventBytes, () => bytes.buffer.resize(0));
  const answer = parts.map((part) => serialize(part) as Uint8Array<ArrayBuffer>);
  return { answer, moved: answer.map(({ buffer }) => buffer) };
});
