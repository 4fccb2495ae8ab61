import { ApprovalDecision } from "@breakglass/client";
import { account } from "./account.en.ts";
import { app, keys } from "./app.en.ts";
import { desk, filter, notify } from "./desk.en.ts";
import { refusals } from "./refusals.en.ts";
import { deleting, exporting, link, session, sharing } from "./session.en.ts";
import { turn } from "./turn.en.ts";

const time = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

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
  refusals,
  account,
  connection: { lostSince: (since: Date) => `Reconnecting since ${time.format(since)}` },
  desk,
  filter,
  notify,
  turn,
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
