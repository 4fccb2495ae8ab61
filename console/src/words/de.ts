import { ApprovalDecision, TurnState } from "@breakglass/client";
import { app, keys } from "./app.de.ts";
import { desk, filter, notify } from "./desk.de.ts";
import type { Words } from "./en.ts";
import { palette } from "./palette.de.ts";
import { refusals } from "./refusals.de.ts";
import { deleting, exporting, link, session, sharing } from "./session.de.ts";

const time = new Intl.DateTimeFormat("de", { timeStyle: "medium" });

const STATES: Readonly<Record<TurnState, string>> = {
  [TurnState.UNSPECIFIED]: "Unbekannt",
  [TurnState.RUNNING]: "Läuft",
  [TurnState.SUCCEEDED]: "Gelungen",
  [TurnState.FAILED]: "Fehlgeschlagen",
  [TurnState.CANCELED]: "Abgebrochen",
  [TurnState.LOST]: "Verloren",
  [TurnState.QUEUED]: "Wartet, bis es an der Reihe ist",
  [TurnState.AWAITING_APPROVAL]: "Wartet auf eine Freigabe",
};

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
  palette,
  refusals,
  account: {
    asking: "Der Server wird gefragt, wer Sie sind …",
    signIn: "Anmelden",
    signOut: "Abmelden",
    token: "Token",
    remember: "In diesem Browser merken",
    tokenRefused: "Der Server nimmt dieses Token nicht an.",
    unreachable: "Der Server antwortet nicht.",
    tryAgain: "Noch einmal versuchen",
  },
  connection: {
    lostSince: (since) => `Verbindung wird seit ${time.format(since)} wiederhergestellt`,
  },
  desk,
  filter,
  notify,
  turn: {
    ownWork: "Eigene Arbeit des Agenten",
    session: "Sitzung",
    state: (state) => STATES[state],
  },
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
