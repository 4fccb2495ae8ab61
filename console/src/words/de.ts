import { TurnState } from "@breakglass/client";
import { account } from "./account.de.ts";
import { app, keys } from "./app.de.ts";
import { approval } from "./approval.de.ts";
import { desk, filter, notify } from "./desk.de.ts";
import { doing } from "./doing.de.ts";
import type { Words } from "./en.ts";
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
  doing,
  approval,
};
