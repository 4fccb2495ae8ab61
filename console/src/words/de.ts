import { ApprovalDecision } from "@breakglass/client";
import { account } from "./account.de.ts";
import { app, keys } from "./app.de.ts";
import { desk, filter, notify } from "./desk.de.ts";
import type { Words } from "./en.ts";
import { refusals } from "./refusals.de.ts";
import { deleting, exporting, link, session, sharing } from "./session.de.ts";
import { turn } from "./turn.de.ts";

const time = new Intl.DateTimeFormat("de", { timeStyle: "medium" });

const DECISIONS: Readonly<Record<ApprovalDecision, string>> = {
  [ApprovalDecision.UNSPECIFIED]: "Entschieden",
  [ApprovalDecision.ALLOWED]: "Erlaubt",
  [ApprovalDecision.ALLOWED_CHANGED]: "Geändert erlaubt",
  [ApprovalDecision.DENIED]: "Abgelehnt",
  [ApprovalDecision.EXPIRED]: "Abgelehnt: niemand hat rechtzeitig geantwortet",
  [ApprovalDecision.WITHDRAWN]: "Zurückgezogen",
};

/** All words of the page in German. */
export const de: Words = {
  app,
  keys,
  refusals,
  account,
  connection: {
    lostSince: (since) => `Verbindung wird seit ${time.format(since)} wiederhergestellt`,
  },
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
    prompt: "Was ist zu tun?",
    send: "Senden",
    steer: "Dem Agenten sagen",
    interrupt: "Unterbrechen",
    cancel: "Abbrechen",
  },
  approval: {
    title: (tool) => `${tool} fragt`,
    allow: "Erlauben",
    deny: "Ablehnen",
    decided: (decision, who) => {
      const what = DECISIONS[decision];
      return who === "" ? what : `${what} von ${who}`;
    },
  },
};
