import { constants, setPriority } from "node:os";
import { serialize } from "node:v8";
import { parentPort } from "node:worker_threads";
import { answerCalls } from "../../stream/asked-thread.ts";
import { prepareLine } from "./prepare-line.ts";
import { inGroups } from "./prepared-line.ts";
import { isWholeLine } from "./read-line.ts";

/** A line in memory that can be made smaller, on its way to the thread: to be read, or only to be looked at. */
export type LongLineCall =
  | {
      readonly is: "line";
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly maxEventBytes: number;
    }
  | { readonly is: "beginning"; readonly bytes: Uint8Array<ArrayBuffer> };

/** What a call comes to. */
export interface LongLineAnswer {
  /** A line's parts, in groups, each serialized: whoever gets them need not have all of them at once. */
  readonly groups: readonly Uint8Array<ArrayBuffer>[];
  /** A beginning is all that the line can be. */
  readonly isWhole: boolean;
  /** The memory of a beginning. */
  readonly memory?: ArrayBuffer;
}

/*
 * The thread that reads lines which would hold up the one that serves clients. Where there are more threads than processors
 * it is this one that waits. Linux takes a process's priority for that of the thread that asks; others do not.
 */
if (process.platform === "linux") setPriority(0, constants.priority.PRIORITY_LOW);

answerCalls<LongLineCall, LongLineAnswer>(parentPort!, (call) => {
  const { bytes } = call;
  if (call.is === "beginning") {
    const memory = bytes.buffer;
    return { answer: { groups: [], isWhole: isWholeLine(bytes), memory }, moved: [memory] };
  }
  const parts = prepareLine(bytes, call.maxEventBytes, () => bytes.buffer.resize(0));
  const groups = inGroups(parts).map((group) => serialize(group) as Uint8Array<ArrayBuffer>);
  return { answer: { groups, isWhole: true }, moved: groups.map(({ buffer }) => buffer) };
});
