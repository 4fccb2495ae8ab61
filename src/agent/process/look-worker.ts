import { parentPort } from "node:worker_threads";
import { takeCalls } from "../../stream/asked-thread.ts";
import { type Look, type LookAnswer, ProcessLooks } from "./process-looks.ts";

/**
 * The thread that looks at the process table, which takes milliseconds, and longer the more processes there are. Whoever
 * has asked while it looked for others shares the next look.
 */
const looks = new ProcessLooks();

takeCalls<Look, LookAnswer>(parentPort!, (asked) => {
  const answers = looks.take(asked.map(({ call }) => call));
  for (const [index, { answer }] of asked.entries()) answer(answers[index]!);
});
