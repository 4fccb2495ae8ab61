import type { ResultMessage } from "./messages.ts";
import { isAborted } from "./result.ts";
import type { SentMessages } from "./sent-messages.ts";
import type { ResultRole } from "./turn-results.ts";

/** What is known of a turn when a result comes. */
export interface TurnSoFar {
  readonly sent: SentMessages;
  /** The agent was asked to stop. */
  readonly isInterrupting: boolean;
  /** The process was seen to tell when it takes a message of ours up, in this turn or before. */
  readonly echoes: boolean;
  /** The agent has said or done something since it took the prompt up. */
  readonly hasAnswered: boolean;
  /** A task has ended in the turn, and no result has come since: the next one may be of the work that follows it up. */
  readonly metTask: boolean;
}

/**
 * Whose result it is: the turn's end, or the end of work that the agent had begun by itself, which the prompt met.
 *
 * Where the CLI says which messages a result answers, that decides. Where it does not, a result in front of the prompt's echo
 * is another's; so is one that follows up a task, says nothing, and comes before the agent has said anything to the prompt. Where it does
 * not say what it follows up, that is a task that has ended meanwhile.
 * One that has words and comes behind the echo is taken for the prompt's.
 */
export function roleOfResult(result: ResultMessage, turn: TurnSoFar): ResultRole {
  const { sent, isInterrupting, echoes, hasAnswered, metTask } = turn;
  if (isInterrupting && isAborted(result)) return "interrupted";
  const answered = result.user_message_uuids;
  if (answered != null && answered.length > 0) {
    // What names messages by other ids than ours is not understood until it was seen to use ours.
    if (echoes && !answered.some((uuid) => sent.isOwn(uuid))) return "more";
    for (const uuid of answered) sent.takenUp(uuid);
  } else {
    if (sent.promptWaits && (result.origin || echoes)) return "more";
    const followsTask = result.origin || (metTask && result.subtype === "success");
    if (followsTask && !result.result && !hasAnswered && sent.hasPrompt) return "more";
  }
  return sent.echoes && sent.steersWaiting.length > 0 ? "more" : "end";
}
