import { setImmediate as nextLoop } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { type LeftFiles, removeTree, TREES_AT_ONCE } from "./remove-tree.ts";

/** What is to be removed, on its way to the thread. */
export interface RemovalCall {
  readonly id: number;
  readonly path: string;
}

/** What the thread answers. */
export interface RemovalAnswer {
  readonly id: number;
  readonly left: LeftFiles;
}

/** The thread that removes trees, a few by turns: a large one holds up neither another nor the server's thread pool. */
const port = parentPort!;
const removals = new Map<number, ReturnType<typeof removeTree>>();
let isRunning = false;

port.on("message", ({ id, path }: RemovalCall) => {
  removals.set(id, removeTree(path));
  if (!isRunning) void run();
});

async function run(): Promise<void> {
  isRunning = true;
  while (removals.size > 0) {
    // The first ones: what has not begun holds no descriptor.
    for (const [id, removal] of removals.entries().take(TREES_AT_ONCE)) step(id, removal);
    await nextLoop();
  }
  isRunning = false;
}

function step(id: number, removal: ReturnType<typeof removeTree>): void {
  const { done, value } = removal.next();
  if (!done) return;
  removals.delete(id);
  port.postMessage({ id, left: value } satisfies RemovalAnswer);
}
