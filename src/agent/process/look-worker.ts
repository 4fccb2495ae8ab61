import { parentPort } from "node:worker_threads";
import { takeCalls } from "../../stream/asked-thread.ts";
import { PeerLooks } from "./peer-looks.ts";
import { ProcessLooks } from "./process-looks.ts";
import { answerOther, isLook, type WatchAnswer, type WatchCall } from "./watch-calls.ts";

/**
 * The thread that looks at the process table, which takes milliseconds, and longer the more processes there are. Whoever
 * has asked while it looked for others shares the next look.
 */
const looks = new ProcessLooks();
const peers = new PeerLooks(looks);

takeCalls<WatchCall, WatchAnswer>(parentPort!, (asked) => {
  const families = asked.flatMap(({ call, answer }) => (isLook(call) ? { call, answer } : []));
  const answers = looks.take(families.map(({ call }) => call));
  for (const [index, { answer }] of families.entries()) answer(answers[index]!);
  for (const { call, answer } of asked) if (!isLook(call)) answer(answerOther(call, looks, peers));
});
