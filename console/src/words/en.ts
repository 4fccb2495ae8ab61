import { ApprovalDecision, TurnState } from "@breakglass/client";
import { app, keys } from "./app.en.ts";
import { desk, filter, notify } from "./desk.en.ts";
import { palette } from "./palette.en.ts";
import { refusals } from "./refusals.en.ts";
import { deleting, exporting, link, session, sharing } from "./session.en.ts";

const time = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

const STATES: Readonly<Record<TurnState, string>> = {
  [TurnState.UNSPECIFIED]: "Unknown",
  [TurnState.RUNNING]: "Running",
  [TurnState.SUCCEEDED]: "Succeeded",
  [TurnState.FAILED]: "Failed",
  [TurnState.CANCELED]: "Canceled",
  [TurnState.LOST]: "Lost",
  [TurnState.QUEUED]: "Waiting for its turn",
  [TurnState.AWAITING_APPROVAL]: "Waiting for an approval",
};

const DECISIONS: Readonly<Record<ApprovalDecision, string>> = {
  [ApprovalDecision.UNSPECIFIED]: "Decided",
  [ApprovalDecision.ALLOWED]: "Allowed",
  [ApprovalDecision.ALLOWED_CHANGED]: "Allowed, changed",
  [ApprovalDecision.DENIED]: "Denied",
  [ApprovalDecision.EXPIRED]: "Denied: nobody answered in time",
  [ApprovalDecision.WITHDRAWN]: "Withdrawn",
};

/** All words of the page in English, by where they stand. */
export const en = {
  app,
  keys,
  palette,
  refusals,
  account: {
    asking: "Asking the server who you are …",
    signIn: "Sign in",
    signOut: "Sign out",
    token: "Token",
    remember: "Remember it in this browser",
    tokenRefused: "The server does not take this token.",
    unreachable: "The server does not answer.",
    tryAgain: "Try again",
  },
  connection: { lostSince: (since: Date) => `Reconnecting since ${time.format(since)}` },
  desk,
  filter,
  notify,
  turn: {
    ownWork: "Work of the agent's own",
    session: "Session",
    state: (state: TurnState) => STATES[state],
  },
  session,
  sharing,
  link,
  deleting,
  exporting,
  doing: {
    prompt: "What is to be done?",
    send: "Send",
    steer: "Tell the agent",
    interrupt: "Interrupt",
    cancel: "Cancel",
  },
  approval: {
    title: (tool: string) => `${tool} asks`,
    allow: "Allow",
    deny: "Deny",
    decided: (decision: ApprovalDecision, who: string) => {
      const what = DECISIONS[decision];
      return who === "" ? what : `${what} by ${who}`;
    },
  },
};

export type Words = typeof en;
