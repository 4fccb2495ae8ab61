import { ApprovalDecision } from "@breakglass/client";
import type { JsonProblem } from "../doing/json-text.ts";

const DECISIONS: Readonly<Record<ApprovalDecision, string>> = {
  [ApprovalDecision.UNSPECIFIED]: "Decided",
  [ApprovalDecision.ALLOWED]: "Allowed",
  [ApprovalDecision.ALLOWED_CHANGED]: "Allowed, changed",
  [ApprovalDecision.DENIED]: "Denied",
  [ApprovalDecision.EXPIRED]: "Denied: nobody answered in time",
  [ApprovalDecision.WITHDRAWN]: "Withdrawn: the agent asks no longer",
};

const PROBLEMS: Readonly<Record<JsonProblem["what"], string>> = {
  "no-object": "it has to begin with {",
  unexpected: "this is not JSON",
  unfinished: "it ends too early",
  "bad-text": "a text may not have this in it; a line break is written \\n",
  "too-deep": "it is nested too deeply",
  more: "something follows behind the end",
};

export const approval = {
  title: (tool: string) => `${tool} asks`,
  allow: "Allow",
  deny: "Deny",
  decided: (decision: ApprovalDecision, who: string) => {
    const what = DECISIONS[decision] ?? DECISIONS[ApprovalDecision.UNSPECIFIED];
    return who === "" ? what : `${what} by ${who}`;
  },
  askedBy: (principal: string) => `in a turn of ${principal}`,
  turn: "Turn",
  session: (id: string) => `session ${id.slice(0, 8)}`,
  deniedIn: "Denied in",
  deniedSoon: "Less than a minute is left, then it is denied.",
  deniedSoonAnnounced: (tool: string) => `${tool}: less than a minute is left to answer.`,
  timeOver: "Its time is over.",
  agentSays: "The agent says:",
  command: "Command that would run",
  edits: (path: string) => `Change to ${path}`,
  input: "Input",
  wholeInput: "The whole input, exactly",
  lines: (lines: number, characters: number) => `${lines} lines, ${characters} characters`,
  notShown: "The server did not keep the input: it is too large to be shown.",
  change: "Change …",
  reason: "Give a reason …",
  reasonLabel: "What the agent is told",
  denyWithReason: "Deny with this reason",
  back: "Back",
  tooLong: (bytes: number, most: number) => `${bytes} bytes: at most ${most} are taken.`,
  editor: "Input to run it with, a JSON object",
  allowChanged: "Allow changed",
  reset: "Reset",
  nothingChanged: "Nothing is changed yet.",
  changed: "What is changed",
  problem: ({ what, line, column }: JsonProblem) =>
    `Line ${line}, column ${column}: ${PROBLEMS[what]}.`,
  sending: "The answer is on its way …",
  asking: "The answer was not confirmed. The server is asked what came of it …",
  askingTime: "The server is asked what came of it …",
  unconfirmed:
    "The answer was not confirmed, and the server cannot be asked: it may count, and it may not. It is not sent again.",
  unconfirmedTime: "The server cannot be asked what came of it.",
  askAgain: "Ask the server",
  lost: "The answer has not arrived: it still waits. Answer again if you want to.",
  turnEnded: "The turn has ended: nothing waits any more, and the call was not made.",
  unknown: "The server does not know of it any more.",
  own: (who: string) => `You run or have steered this turn: somebody else has to answer. ${who}`,
  notAllowed: (who: string) => `You may not answer. ${who}`,
  waitsFor: "Others answer for it: approvers, and who may work in the session.",
  told: "The agent is told:",
  unused: "Your change was not used.",
  moved: "The buttons can be pressed in a moment: something has just moved.",
  removedLine: "removed",
  addedLine: "added",
};
