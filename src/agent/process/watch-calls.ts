import type { PeerAnswer, PeerQuestion } from "./peer-looks.ts";
import type { Look, LookAnswer } from "./process-looks.ts";

/** What the thread that watches processes is asked. */
export type WatchCall = Look | PeerQuestion;

/** What it answers, to either. */
export type WatchAnswer = LookAnswer | PeerAnswer;

/** Whether it is asked for a family. */
export function isLook(call: WatchCall): call is Look {
  return !("ends" in call);
}
