import { setImmediate as nextLoop } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { type OpenCall, takeCalls } from "../stream/asked-thread.ts";
import { type LeftFiles, removeTree } from "./remove-tree.ts";

type Removal = ReturnType<typeof removeTree>;
type RemovalCall = OpenCall<string, LeftFiles>;

/** The thread that removes trees, a few by turns: a large one holds up neither another nor the server's thread pool. */
const removals = new Map<Removal, RemovalCall>();
let isRunning = false;

takeCalls<string, LeftFiles>(parentPort!, (calls) => {
  for (const asked of calls) removals.set(removeTree(asked.call), asked);
  if (!isRunning) void run();
});

async function run(): Promise<void> {
  isRunning = true;
  while (removals.size > 0) {
    for (const [removal, asked] of removals) step(removal, asked);
    await nextLoop();
  }
  isRunning = false;
}

function step(removal: Removal, asked: RemovalCall): void {
  const { done, value } = removal.next();
  if (!done) return;
  removals.delete(removal);
  asked.answer(value);
}
