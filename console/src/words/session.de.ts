import { Role, ShareAccess } from "@breakglass/client";
import { formatsOf } from "./formats.ts";
import type {
  deleting as deletingEn,
  exporting as exportingEn,
  link as linkEn,
  session as sessionEn,
  sharing as sharingEn,
} from "./session.en.ts";

const formats = formatsOf("de");

export const session: typeof sessionEn = {
  title: "Sitzung",
  titleOf: (id) => `Sitzung ${id}`,
  own: "Ihre",
  owner: "Von",
  agent: "Agent",
  model: "Modell",
  since: "Seit",
  active: "Zuletzt aktiv",
  turns: "Aufträge",
  tokens: "Token",
  tokensOf: (read, written) =>
    `${formats.count(read)} gelesen, ${formats.count(written)} geschrieben`,
  cost: "Kosten",
  shared: "Geteilt mit",
  sharedWithNobody: "niemandem",
  older: "Frühere Aufträge zeigen",
  none: "Hier ist kein Auftrag verzeichnet.",
  open: "Öffnen",
  result: "Ergebnis",
  notSeen: "Diese Sitzung ist nicht zu sehen",
  notSeenHelp:
    "Es gibt sie nicht, sie wurde gelöscht, oder niemand hat sie mit Ihnen geteilt. Wer die Rolle approver hat, sieht fragende Aufträge ohne ihre Sitzungen: gehen Sie zurück zum Auftrag.",
  actions: "Was mit der Sitzung geschehen kann",
};

export const sharing: typeof sharingEn = {
  title: "Sitzung teilen",
  description:
    "Wer den Server betreibt, kann anderen Rollen gegeben haben, durch die sie sie ohnehin sehen.",
  action: "Teilen …",
  with: "Mit",
  person: "einer Person",
  personName: "Ihr Name, wie sie sich anmeldet",
  role: "allen mit der Rolle",
  roles: {
    [Role.VIEWER]: "viewer",
    [Role.OPERATOR]: "operator",
    [Role.APPROVER]: "approver",
    [Role.ADMIN]: "admin",
  },
  everyone: (role) => `allen mit der Rolle ${role}`,
  access: "Erlaubt ist",
  accesses: {
    [ShareAccess.READ]: "Lesen",
    [ShareAccess.OPERATE]: "Darin arbeiten",
  },
  means: {
    [ShareAccess.READ]: "Die Sitzung und ihre Aufträge sehen, mit allem, was darin steht.",
    [ShareAccess.OPERATE]:
      "Auch Aufträge geben, anhalten und lenken, für sie antworten und die Sitzung löschen. Dafür braucht es die Rolle operator.",
  },
  share: "Teilen",
  now: "Jetzt geteilt",
  nobody: "Mit niemandem.",
  end: "Beenden",
  endFor: (who) => `Nicht mehr teilen mit ${who}`,
  ended: (who) => `Nicht mehr geteilt mit ${who}`,
  done: (who) => `Geteilt mit ${who}`,
  change: (who) => `Was ${who} darf`,
};

export const link: typeof linkEn = {
  copy: "Link kopieren",
  copyTurn: "Link des Auftrags kopieren",
  works: (who) =>
    who.length === 0
      ? "Der Link öffnet die Sitzung nur für Sie und für alle, die durch ihre Rolle alles sehen. Für andere ist dort nichts: teilen Sie sie zuerst."
      : `Der Link öffnet die Sitzung für ${formats.list(who)}. Für andere ist dort nichts.`,
};

export const deleting: typeof deletingEn = {
  title: "Sitzung löschen",
  action: "Löschen …",
  what: (turns) =>
    `${turns === 1 ? "Ihr einziger Auftrag" : `Ihre ${formats.count(turns)} Aufträge`}, ihr Arbeitsverzeichnis mit allen Dateien, und was der Agent von ihr weiß. Für alle, und für immer. Was der Agent anderswo getan hat, bleibt getan.`,
  exportFirst: "Was Sie behalten wollen, exportieren Sie vorher.",
  running: "Ein Auftrag läuft darin. Sie kann gelöscht werden, wenn er beendet ist.",
  confirm: "Für immer löschen",
  deleting: "Sie wird gelöscht …",
  done: "Die Sitzung ist gelöscht.",
  pending:
    "Die Sitzung ist gelöscht. Etwas, das sie auf dem Rechner des Servers hinterlassen hat, wird noch entfernt; damit macht der Server selbst weiter.",
};

export const exporting: typeof exportingEn = {
  action: "Exportieren",
  turnAction: "Auftrag exportieren",
  markdown: "Als Markdown",
  json: "Als JSON",
  progress: (n, of) => `Auftrag ${formats.count(n)} von ${formats.count(of)} wird gelesen …`,
  stop: "Anhalten",
  done: "Exportiert",
  turn: (n, of) => `Auftrag ${n} von ${of}`,
  session: "Sitzung",
  id: "Kennung",
  prompt: "Auftrag",
  state: "Zustand",
  begun: "Begonnen",
  ended: "Beendet",
  by: "Von",
  exportedOn: (when, version) => `Exportiert am ${when} aus breakglass ${version}.`,
  subagent: "ein Unteragent",
  thinking: "Überlegung",
  tool: "Werkzeug",
  output: "Ausgabe",
  failed: "fehlgeschlagen",
  steer: (who) => `Nachricht von ${who}`,
  approval: "Freigabe erbeten",
  decided: "Freigabe",
  notice: "Hinweis",
  result: "Ergebnis",
  error: "Fehler",
  agentUp: "Agent",
  cut: (bytes) => `Nicht vollständig: es waren ${bytes}.`,
  running: "Der Auftrag war beim Exportieren nicht beendet.",
};
