import { ApprovalDecision } from "@breakglass/client";
import type { JsonProblem } from "../doing/json-text.ts";
import type { approval as english } from "./approval.en.ts";

const DECISIONS: Readonly<Record<ApprovalDecision, string>> = {
  [ApprovalDecision.UNSPECIFIED]: "Entschieden",
  [ApprovalDecision.ALLOWED]: "Erlaubt",
  [ApprovalDecision.ALLOWED_CHANGED]: "Geändert erlaubt",
  [ApprovalDecision.DENIED]: "Abgelehnt",
  [ApprovalDecision.EXPIRED]: "Abgelehnt: niemand hat rechtzeitig geantwortet",
  [ApprovalDecision.WITHDRAWN]: "Zurückgezogen: Der Agent fragt nicht mehr",
};

const PROBLEMS: Readonly<Record<JsonProblem["what"], string>> = {
  "no-object": "Sie muss mit { beginnen",
  unexpected: "Das ist kein JSON",
  unfinished: "Sie endet zu früh",
  "bad-text": "Das darf so nicht in einem Text stehen; ein Zeilenumbruch wird \\n geschrieben",
  "too-deep": "Sie ist zu tief verschachtelt",
  more: "Hinter dem Ende folgt noch etwas",
};

export const approval: typeof english = {
  title: (tool) => `${tool} fragt`,
  allow: "Erlauben",
  deny: "Ablehnen",
  decided: (decision, who) => {
    const what = DECISIONS[decision] ?? DECISIONS[ApprovalDecision.UNSPECIFIED];
    return who === "" ? what : `${what} von ${who}`;
  },
  askedBy: (principal) => `in einem Auftrag von ${principal}`,
  turn: "Auftrag",
  session: (id) => `Sitzung ${id.slice(0, 8)}`,
  deniedIn: "Wird abgelehnt in",
  deniedSoon: "Weniger als eine Minute bleibt, dann wird abgelehnt.",
  deniedSoonAnnounced: (tool) => `${tool}: Weniger als eine Minute bleibt für eine Antwort.`,
  timeOver: "Die Zeit ist abgelaufen.",
  agentSays: "Der Agent sagt:",
  command: "Befehl, der ausgeführt würde",
  edits: (path) => `Änderung an ${path}`,
  input: "Eingabe",
  wholeInput: "Die ganze Eingabe, genau",
  lines: (lines, characters) => `${lines} Zeilen, ${characters} Zeichen`,
  notShown: "Der Server hat die Eingabe nicht behalten: Sie ist zu groß, um gezeigt zu werden.",
  change: "Ändern …",
  reason: "Grund nennen …",
  reasonLabel: "Was dem Agenten gesagt wird",
  denyWithReason: "Mit diesem Grund ablehnen",
  back: "Zurück",
  tooLong: (bytes, most) => `${bytes} Bytes: Höchstens ${most} sind möglich.`,
  editor: "Eingabe, mit der ausgeführt wird, ein JSON-Objekt",
  allowChanged: "Geändert erlauben",
  reset: "Zurücksetzen",
  nothingChanged: "Noch ist nichts geändert.",
  changed: "Was geändert ist",
  problem: ({ what, line, column }) => `Zeile ${line}, Spalte ${column}: ${PROBLEMS[what]}.`,
  sending: "Die Antwort ist unterwegs …",
  asking: "Die Antwort wurde nicht bestätigt. Der Server wird gefragt, was daraus geworden ist …",
  askingTime: "Der Server wird gefragt, was daraus geworden ist …",
  unconfirmed:
    "Die Antwort wurde nicht bestätigt, und der Server kann nicht gefragt werden: Sie kann gelten oder auch nicht. Sie wird nicht noch einmal gesendet.",
  unconfirmedTime: "Der Server kann nicht gefragt werden, was daraus geworden ist.",
  askAgain: "Den Server fragen",
  lost: "Die Antwort ist nicht angekommen: Die Frage wartet noch. Antworten Sie bei Bedarf erneut.",
  turnEnded: "Der Auftrag ist zu Ende: Nichts wartet mehr, und der Aufruf wurde nicht ausgeführt.",
  unknown: "Der Server kennt die Frage nicht mehr.",
  own: (who) =>
    `Sie führen diesen Auftrag aus oder haben ihn gelenkt: Jemand anderes muss antworten. ${who}`,
  notAllowed: (who) => `Sie dürfen nicht antworten. ${who}`,
  waitsFor:
    "Andere antworten dafür: wer die Rolle approver hat, und wer in der Sitzung arbeiten darf.",
  told: "Dem Agenten wird gesagt:",
  unused: "Ihre Änderung wurde nicht verwendet.",
  moved: "Gleich kann gedrückt werden: Gerade hat sich etwas bewegt.",
  removedLine: "entfernt",
  addedLine: "hinzugefügt",
};
