import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { type KnownProcess, type Look, ProcessLooks } from "./process-looks.ts";

/** A look on its way to the thread. */
export interface LookCall {
  readonly id: number;
  readonly look: Look;
}

/** What the thread answers. */
export interface LookAnswer {
  readonly id: number;
  readonly members: readonly KnownProcess[];
}

/**
 * The thread that looks at the process table, which takes milliseconds, and longer the more processes there are. Whoever
 * has asked while it looked for others shares the next look.
 */
const port = parentPort!;
const looks = new ProcessLooks();

port.on("message", (first: LookCall) => {
  const calls = [first];
  for (;;) {
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    calls.push(next.message as LookCall);
  }
  const answers = looks.answer(calls.map(({ look }) => look));
  port.postMessage(calls.map(({ id }, index): LookAnswer => ({ id, members: answers[index]! })));
});
