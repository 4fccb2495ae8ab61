import { parentPort, receiveMessageOnPort } from "node:worker_threads";
import { type LookCall, ProcessLooks } from "./process-looks.ts";

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
  port.postMessage(looks.take(calls));
});
