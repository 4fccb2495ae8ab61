import { setTimeout as delay } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { type OpenCall, takeCalls } from "../stream/asked-thread.ts";
import { measureTree, type TreeSize } from "./tree-size.ts";

/** Between two slices: a disk and a processor are for those who work. */
const REST_MS = 20;

/** The thread that measures trees of files, one after the other, and rests most of the time. */
const waiting: OpenCall<string, TreeSize>[] = [];
let isRunning = false;

takeCalls<string, TreeSize>(parentPort!, (calls) => {
  waiting.push(...calls);
  if (!isRunning) void run();
});

async function run(): Promise<void> {
  isRunning = true;
  for (let asked = waiting.shift(); asked !== undefined; asked = waiting.shift()) {
    const measuring = measureTree(asked.call);
    let step = measuring.next();
    while (!step.done) {
      await delay(REST_MS);
      step = measuring.next();
    }
    asked.answer(step.value);
  }
  isRunning = false;
}
