import type { PeerAnswer, PeerLooks, PeerQuestion } from "./peer-looks.ts";
import type {
  KnownProcess,
  Look,
  LookAnswer,
  ProcessLooks,
  StrayQuestion,
} from "./process-looks.ts";

/** What the thread that watches processes is asked. */
export type WatchCall = Look | PeerQuestion | StrayQuestion;

/** The strays that were killed; undefined: nobody could be looked for. */
export type StrayAnswer = readonly KnownProcess[] | undefined;

/** What it answers, to each. */
export type WatchAnswer = LookAnswer | PeerAnswer | StrayAnswer;

/** Whether it is asked for a family. */
export function isLook(call: WatchCall): call is Look {
  return "processId" in call;
}

/** Answers what is no look at a family. Never throws. */
export function answerOther(
  call: PeerQuestion | StrayQuestion,
  looks: ProcessLooks,
  peers: PeerLooks,
): PeerAnswer | StrayAnswer {
  if ("ends" in call) return peers.answer(call);
  try {
    return looks.killStrays(call);
  } catch {
    return undefined;
  }
}
