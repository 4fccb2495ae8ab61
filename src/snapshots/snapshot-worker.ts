import { parentPort } from "node:worker_threads";
import { takeCalls } from "../stream/asked-thread.ts";
import { perform, type SnapshotAnswer, type SnapshotJob } from "./snapshot-jobs.ts";

/** The thread that packs, unpacks and moves snapshots. */
takeCalls<SnapshotJob, SnapshotAnswer>(parentPort!, (calls) => {
  for (const { call, answer } of calls) void perform(call).then((given) => answer(given));
});
