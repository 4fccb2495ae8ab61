import { parentPort } from "node:worker_threads";
import { takeCalls } from "../../../src/stream/asked-thread.ts";

/** Answers what it was called with, and how many it was given together; "die" ends it. */
takeCalls<string, string>(parentPort!, (calls) => {
  if (calls.some(({ call }) => call === "die")) throw new Error("it was to die");
  for (const { call, answer } of calls) answer(`${call} of ${calls.length}`);
});
