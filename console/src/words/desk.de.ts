import { ErrorReason, TurnState } from "@breakglass/client";
import type { desk as deskEn, filter as filterEn, notify as notifyEn } from "./desk.en.ts";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("de");

const REASONS: Readonly<Record<ErrorReason, string>> = {
  [ErrorReason.UNSPECIFIED]:
    "Der Agent meldet einen Fehlschlag. Öffnen Sie den Auftrag, um zu lesen, warum.",
  [ErrorReason.AGENT_NOT_FOUND]:
    "Das Programm oder die Definition des Agenten fehlt: lassen Sie es installieren, oder wählen Sie einen anderen.",
  [ErrorReason.AGENT_START_FAILED]:
    "Der Agent startete nicht. Öffnen Sie den Auftrag: seine letzten Zeilen sagen, warum.",
  [ErrorReason.AGENT_EXITED]:
    "Das Programm des Agenten endete mittendrin. Was bis dahin getan war, ist getan; sagen Sie ihm, dass er weitermachen soll.",
  [ErrorReason.AGENT_PROTOCOL]:
    "Das Programm des Agenten sagte nichts Verständliches: sehen Sie nach seiner Version.",
  [ErrorReason.TURN_TIMEOUT]:
    "Es dauerte länger, als es darf. Sagen Sie ihm, dass er weitermachen soll, oder geben Sie kleinere Schritte.",
  [ErrorReason.IDLE_TIMEOUT]:
    "Der Agent sagte zu lange nichts. Sagen Sie ihm, dass er weitermachen soll.",
  [ErrorReason.CANCELED]: "Jemand hat ihn abgebrochen.",
  [ErrorReason.SERVER_RESTARTED]:
    "Der Server brach darunter weg. Was bis dahin getan war, ist getan; sagen Sie dem Agenten, dass er weitermachen soll.",
  [ErrorReason.SERVER_SHUTDOWN]:
    "Der Server wurde darunter beendet. Was bis dahin getan war, ist getan; sagen Sie dem Agenten, dass er weitermachen soll.",
  [ErrorReason.OUTPUT_LIMIT]:
    "Er schrieb mehr, als ein Auftrag darf. Lassen Sie ihn in eine Datei schreiben.",
  [ErrorReason.STORAGE]: "Der Server konnte es nicht speichern: sehen Sie nach seiner Platte.",
  [ErrorReason.UNSUPPORTED_BY_AGENT]:
    "Der Agent kann nicht, was das braucht. Öffnen Sie eine neue Sitzung.",
  [ErrorReason.LIMIT_REACHED]:
    "Was er ausgeben darf, ist ausgegeben. Was bis dahin getan war, ist getan.",
};

export const desk: typeof deskEn = {
  title: "Übersicht",
  waiting: "Wartet auf eine Antwort",
  waitingHidden: (n) =>
    n === 1
      ? "1 Freigabe lässt der Filter aus."
      : `${formats.count(n)} Freigaben lässt der Filter aus.`,
  running: "Läuft",
  failed: "Kürzlich fehlgeschlagen",
  ended: "Beendet",
  nothingRuns: "Nichts läuft.",
  nothingRunsHere: "Nichts, was läuft, passt zum Filter.",
  nothingEnded: "Noch ist nichts beendet. Was Sie beginnen, steht hier, wenn es vorbei ist.",
  nothingEndedHere: "Nichts, was beendet ist, passt zum Filter.",
  loading: "Wird geladen …",
  more: (n) => `${formats.count(n)} weitere zeigen`,
  older: "Ältere zeigen",
  by: "von",
  own: "vom Agenten selbst begonnen",
  session: "Sitzung",
  sessionOf: (who) => `Sitzung von ${who}`,
  ranFor: "dauerte",
  why: (reason) => REASONS[reason] ?? REASONS[ErrorReason.UNSPECIFIED],
  denials: (n) =>
    n === 1 ? "1 Aufruf wurde abgelehnt" : `${formats.count(n)} Aufrufe wurden abgelehnt`,
  lost: "Die Übersicht wird nicht mehr aktualisiert.",
};

export const filter: typeof filterEn = {
  title: "Filter",
  words: "Wörter im Auftrag",
  show: "Nach Zustand, Person und Zeit filtern",
  clear: "Alles zeigen",
  state: "Zustand",
  states: {
    [TurnState.AWAITING_APPROVAL]: "Wartet auf eine Freigabe",
    [TurnState.RUNNING]: "Läuft",
    [TurnState.QUEUED]: "Wartet, bis es an der Reihe ist",
    [TurnState.SUCCEEDED]: "Gelungen",
    [TurnState.FAILED]: "Fehlgeschlagen",
    [TurnState.CANCELED]: "Abgebrochen",
    [TurnState.LOST]: "Verloren",
  },
  person: "Person",
  time: "Begonnen",
  times: {
    any: "irgendwann",
    "1h": "in der letzten Stunde",
    "24h": "in den letzten 24 Stunden",
    "7d": "in den letzten 7 Tagen",
    between: "zwischen …",
  },
  since: "Von",
  until: "Bis vor",
  origin: "Begonnen von",
  origins: { any: "irgendwem", caller: "einer Person", agent: "dem Agenten selbst" },
};

export const notify: typeof notifyEn = {
  offer: "Benachrichtigen, wenn etwas wartet",
  on: "Benachrichtigungen sind an",
  off: "Benachrichtigungen sind aus",
  blocked:
    "Der Browser lässt diese Seite nicht benachrichtigen. Erlauben Sie es in seinen Einstellungen für diese Seite.",
  turnOff: "Benachrichtigungen ausschalten",
  asks: (tool, who) => `${tool} wartet auf Ihre Antwort`.concat(who === "" ? "" : `, für ${who}`),
  ended: (state) => `Ihr Auftrag: ${state}`,
  withText: "Aufträge in Benachrichtigungen zeigen",
};
