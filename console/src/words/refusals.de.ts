import type { Reason } from "@breakglass/client";
import type { RefusalWords, refusals as refusalsEn } from "./refusals.en.ts";

const reasons: Readonly<Record<Reason, RefusalWords>> = {
  INVALID_ARGUMENT: {
    what: "Das nimmt der Server nicht an.",
    mend: "Berichtigen Sie, was hier genannt ist.",
  },
  TURN_IN_PROGRESS: {
    what: "In dieser Sitzung läuft ein Auftrag.",
    mend: "Warten Sie auf sein Ende, oder unterbrechen Sie ihn.",
  },
  TURN_ENDED: {
    what: "Der Auftrag ist beendet.",
    mend: "Geben Sie seiner Sitzung einen neuen.",
  },
  INTERRUPT_NOT_OBEYED: {
    what: "Der Agent hat nicht aufgehört.",
    mend: "Brechen Sie den Auftrag ab: das beendet seine Prozesse.",
  },
  APPROVAL_NOT_FOUND: { what: "Danach fragt niemand mehr.", mend: "" },
  APPROVAL_RESOLVED: {
    what: "Jemand hat schon geantwortet.",
    mend: "Die erste Antwort zählt.",
  },
  APPROVAL_EXPIRED: {
    what: "Es wurde abgelehnt, weil niemand rechtzeitig geantwortet hat.",
    mend: "",
  },
  SELF_APPROVAL_FORBIDDEN: {
    what: "Wer einen Auftrag gibt, darf hier nicht selbst für ihn antworten.",
    mend: "Bitten Sie eine andere Person mit der Rolle approver.",
  },
  ROLE_MISSING: {
    what: "Ihnen fehlt die Rolle dafür.",
    mend: "Fragen Sie danach, wer den Server betreibt.",
  },
  NOT_ALLOWED: {
    what: "Sie dürfen das sehen, aber nicht darin handeln.",
    mend: "Bitten Sie, wem die Sitzung gehört, sie zum Arbeiten mit Ihnen zu teilen.",
  },
  BYPASS_FORBIDDEN: {
    what: "Dieser Server nimmt nur Aufträge, die fragen.",
    mend: "Wählen Sie die Betriebsart, die fragt.",
  },
  AGENT_KIND_MISMATCH: {
    what: "Die Sitzung hat eine andere Art von Agent.",
    mend: "Öffnen Sie dafür eine neue Sitzung.",
  },
  AGENT_KIND_NOT_SERVED: {
    what: "Diese Art von Agent hat der Server nicht.",
    mend: "Wählen Sie eine andere.",
  },
  UNSUPPORTED_BY_AGENT: { what: "Das kann der Agent nicht.", mend: "" },
  TOO_MANY_TURNS: {
    what: "Es laufen so viele Aufträge, wie zugleich laufen dürfen.",
    mend: "Warten Sie, bis einer endet, oder beenden Sie einen.",
  },
  TOO_MANY_SUBSCRIPTIONS: {
    what: "Zu viele lesen zugleich mit.",
    mend: "Schließen Sie andere Fenster, und versuchen Sie es noch einmal.",
  },
  TOO_MANY_REQUESTS: {
    what: "Zu viele Anfragen auf einmal.",
    mend: "Warten Sie kurz, und versuchen Sie es noch einmal.",
  },
  BODY_TIMEOUT: {
    what: "Die Anfrage kam zu langsam an.",
    mend: "Senden Sie weniger, oder über eine bessere Leitung.",
  },
  SESSION_FULL: { what: "Die Sitzung ist voll.", mend: "Machen Sie in einer neuen weiter." },
  SPENDING_LIMIT: {
    what: "Was Sie heute ausgeben dürfen, ist ausgegeben.",
    mend: "Warten Sie bis morgen, oder fragen Sie, wer den Server betreibt.",
  },
  QUOTA_EXCEEDED: {
    what: "Sie belegen so viel, wie Sie dürfen.",
    mend: "Löschen Sie Sitzungen, die niemand mehr braucht.",
  },
  REQUEST_ID_REUSED: {
    what: "Eine andere Anfrage hatte diese Kennung.",
    mend: "Senden Sie es noch einmal.",
  },
  NOT_FOUND: {
    what: "Das gibt es nicht, oder Sie dürfen es nicht sehen.",
    mend: "Bitten Sie, wem die Sitzung gehört, sie mit Ihnen zu teilen. Vielleicht wurde sie auch gelöscht.",
  },
  OUT_OF_RANGE: { what: "Diese Stelle gibt es nicht mehr.", mend: "Laden Sie die Seite neu." },
  UNAUTHENTICATED: { what: "Der Server kennt Sie nicht.", mend: "Melden Sie sich neu an." },
  ORIGIN_NOT_ALLOWED: {
    what: "Der Server antwortet Seiten unter dieser Adresse nicht.",
    mend: "Öffnen Sie die Konsole unter der Adresse des Servers.",
  },
  AGENT_NOT_ALLOWED: { what: "Das darf ein Agent nicht selbst.", mend: "" },
  DRAINING: {
    what: "Der Server wird beendet und nimmt nichts Neues an.",
    mend: "Versuchen Sie es in einer Minute noch einmal.",
  },
  STREAM_ENDED: { what: "Der Strom wurde beendet.", mend: "Versuchen Sie es noch einmal." },
  STORAGE: {
    what: "Der Server konnte es nicht speichern.",
    mend: "Sehen Sie nach seiner Platte und in sein Log. Dann versuchen Sie es noch einmal.",
  },
  FENCED: {
    what: "Dieser Server hat die Daten nicht mehr.",
    mend: "Gehen Sie zu dem, der übernommen hat.",
  },
  SESSION_ELSEWHERE: {
    what: "Ein anderer Server hat die Sitzung.",
    mend: "Versuchen Sie es noch einmal, oder gehen Sie zu jenem Server.",
  },
  DATA_LOSS: {
    what: "Etwas davon lässt sich nicht mehr lesen.",
    mend: "Das Log des Servers sagt, was.",
  },
};

export const refusals: typeof refusalsEn = {
  reasons,
  unreachable: {
    what: "Der Server antwortet nicht.",
    mend: "Sehen Sie nach dem Netz und dem Server. Bestätigt ist nichts: sehen Sie nach, bevor Sie es wiederholen.",
  },
  unknown: { what: "Der Server hat es abgelehnt.", mend: "" },
  missingPart: {
    what: "Ein Teil dieser Seite ist nicht da.",
    mend: "Der Server hat eine neuere Version oder ist weg. Laden Sie die Seite neu: Nichts, was läuft, geht verloren.",
  },
  loadAgain: "Seite neu laden",
  details: "Was der Server gesagt hat",
  tryAgain: "Noch einmal versuchen",
  retryIn: (duration) => `In ${duration} könnte es gehen.`,
};
