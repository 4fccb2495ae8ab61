import { parentPort } from "node:worker_threads";
import { answerCalls } from "../../../src/stream/asked-thread.ts";

let answered = 0;

/** Answers what it was called with, and how many it had answered before; "die" and "exit" end it. */
answerCalls<string, string>(parentPort!, (call) => {
  if (call === "die") throw new Error("it was to die");
  if (call === "exit") process.exit();
  return { answer: `${call} ${answered++}`, moved: [] };
});
