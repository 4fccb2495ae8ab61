import {
  ErrorReason,
  type NoticeEvent,
  NoticeReason,
  PermissionMode,
  TurnState,
} from "@breakglass/client";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { formatsOf } from "./formats.ts";
import type { TurnWords } from "./turn.en.ts";

const formats = formatsOf("de");

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

const CALLS = {
  running: "läuft",
  waiting: "wartet auf eine Freigabe",
  done: "fertig",
  failed: "fehlgeschlagen",
  denied: "nicht erlaubt",
  unanswered: "nie beantwortet",
};

const MODES: Readonly<Record<PermissionMode, string>> = {
  [PermissionMode.UNSPECIFIED]: "",
  [PermissionMode.BYPASS]: "handelt selbst",
  [PermissionMode.ASK]: "fragt vorher",
};

const ERRORS: Readonly<Record<ErrorReason, readonly [what: string, mend: string]>> = {
  [ErrorReason.UNSPECIFIED]: ["Der Auftrag endete mit einem Fehler.", ""],
  [ErrorReason.AGENT_NOT_FOUND]: [
    "Das Programm des Agenten oder der verlangte Agent ist nicht da.",
    "Prüfen Sie den Namen des Agenten und ob sein Programm auf dem Server installiert ist.",
  ],
  [ErrorReason.AGENT_START_FAILED]: [
    "Der Agent ist nicht gestartet.",
    "Es wurde nichts getan. Was er schrieb, bevor er endete, steht unten: Beheben Sie das und senden Sie den Auftrag noch einmal.",
  ],
  [ErrorReason.AGENT_EXITED]: [
    "Der Agent endete mitten in der Arbeit.",
    "Was er bis dahin getan hat, ist getan. Sehen Sie sich die letzten Aufrufe an, bevor Sie den Auftrag noch einmal senden.",
  ],
  [ErrorReason.AGENT_PROTOCOL]: [
    "Der Agent hat nichts gesagt, was der Server versteht.",
    "Seine Version passt vielleicht nicht zu diesem Server: Führen Sie dort breakglass doctor aus.",
  ],
  [ErrorReason.TURN_TIMEOUT]: [
    "Der Auftrag dauerte länger, als er darf.",
    "Was getan wurde, ist getan. Senden Sie einen weiteren Auftrag, um fortzufahren, nötigenfalls mit mehr Zeit.",
  ],
  [ErrorReason.IDLE_TIMEOUT]: [
    "Der Agent hat zu lange nichts gesagt und wurde beendet.",
    "Vielleicht hängt sein letzter Aufruf: Sehen Sie nach, worauf er wartet, und senden Sie dann einen weiteren Auftrag.",
  ],
  [ErrorReason.CANCELED]: [
    "Jemand hat den Auftrag abgebrochen.",
    "Was bis dahin getan wurde, ist getan.",
  ],
  [ErrorReason.SERVER_RESTARTED]: [
    "Der Server endete während des Auftrags und wurde neu gestartet.",
    "Was bis dahin getan wurde, ist getan; nichts läuft weiter. Sehen Sie sich die letzten Aufrufe an und senden Sie dann einen weiteren Auftrag.",
  ],
  [ErrorReason.SERVER_SHUTDOWN]: [
    "Der Server wurde während des Auftrags beendet.",
    "Was bis dahin getan wurde, ist getan; nichts läuft weiter. Sehen Sie sich die letzten Aufrufe an und senden Sie dann einen weiteren Auftrag.",
  ],
  [ErrorReason.OUTPUT_LIMIT]: [
    "Der Auftrag hat mehr ausgegeben, als der Server aufhebt.",
    "Was getan wurde, ist getan. Senden Sie einen weiteren Auftrag, um mit weniger Ausgabe fortzufahren.",
  ],
  [ErrorReason.STORAGE]: [
    "Der Server konnte nicht aufzeichnen, was der Agent tat, und hat ihn beendet.",
    "Vielleicht ist seine Platte voll. Was der Agent getan hat, ist getan, auch was nicht aufgezeichnet ist.",
  ],
  [ErrorReason.UNSUPPORTED_BY_AGENT]: [
    "Der Agent kann nicht, was der Auftrag braucht.",
    "Öffnen Sie eine neue Sitzung und sagen Sie dem Agenten, was er wissen muss.",
  ],
  [ErrorReason.LIMIT_REACHED]: [
    "Eine Grenze dessen, was ausgegeben werden darf, ist erreicht.",
    "Was bis dahin getan wurde, ist getan. Wer den Server betreibt, kann die Grenze anheben.",
  ],
};

const NOTICES: Readonly<Record<NoticeReason, string>> = {
  [NoticeReason.UNSPECIFIED]: "Hinweis",
  [NoticeReason.API_RETRY]: "Neuer Versuch",
  [NoticeReason.API_ERROR]: "Die Schnittstelle des Modells versagt",
  [NoticeReason.MODEL_FALLBACK]: "Anderes Modell",
  [NoticeReason.MODEL_REFUSAL]: "Das Modell lehnt ab",
  [NoticeReason.CONTEXT_COMPACTED]: "Gespräch zusammengefasst",
  [NoticeReason.CONVERSATION_RESET]: "Gespräch neu begonnen",
  [NoticeReason.TASK_STARTED]: "Aufgabe begonnen",
  [NoticeReason.TASK_ENDED]: "Aufgabe beendet",
  [NoticeReason.PERMISSION_DENIED]: "Nicht erlaubt",
  [NoticeReason.RATE_LIMIT]: "Nutzungsgrenze",
  [NoticeReason.MALFORMED_OUTPUT]: "Zeile nicht verstanden",
  [NoticeReason.AGENT_WARNING]: "Warnung",
  [NoticeReason.AGENT_SILENT]: "Stille",
  [NoticeReason.AGENT_REPLACED]: "Agent ersetzt",
  [NoticeReason.RECALLED]: "Frühere Aufträge",
  [NoticeReason.SESSION_MOVED]: "Anderer Server",
};

const MEANT: Readonly<Partial<Record<NoticeReason, string>>> = {
  [NoticeReason.MODEL_FALLBACK]: "Der Agent macht mit einem anderen Modell weiter.",
  [NoticeReason.MODEL_REFUSAL]:
    "Formulieren Sie den Auftrag in einer neuen Sitzung anders, oder wählen Sie ein anderes Modell.",
  [NoticeReason.CONTEXT_COMPACTED]:
    "Der Agent hat zusammengefasst, was bisher gesagt wurde, um Platz zu schaffen.",
  [NoticeReason.CONVERSATION_RESET]:
    "Was vorher gesagt und getan wurde, weiß der Agent nicht mehr. Hier steht es noch.",
  [NoticeReason.RATE_LIMIT]: "Das Konto hat bald oder schon so viel genutzt, wie es darf.",
  [NoticeReason.MALFORMED_OUTPUT]:
    "Etwas, was der Agent ausgab, war nicht zu lesen und wurde übergangen.",
  [NoticeReason.AGENT_SILENT]:
    "Vom Modell ist seit einer Weile nichts gekommen. Schweigt der Agent zu lange, endet der Auftrag.",
  [NoticeReason.AGENT_REPLACED]:
    "Ein neuer Prozess des Agenten hat den Auftrag übernommen. Nichts wurde zweimal ausgeführt.",
};

function movedText({ snapshotTime, remembers }: NoticeEvent): string {
  const workspace =
    snapshotTime === undefined
      ? "Ihr Arbeitsordner ist leer."
      : `Ihr Arbeitsordner ist so, wie er war: ${formats.dateTime(timestampDate(snapshotTime))}.`;
  const memory = remembers === true ? "Der Agent weiß noch" : "Der Agent weiß nicht mehr";
  return `Der Server, der die Sitzung hatte, ist weg, und sie geht auf diesem weiter. ${workspace} ${memory}, was vorher gesagt wurde.`;
}

export const turn: TurnWords = {
  ownWork: "Eigene Arbeit des Agenten",
  session: "Sitzung",
  state: (state) => STATES[state] ?? STATES[TurnState.UNSPECIFIED],
  loading: "Wird geladen …",
  readOn: "Weiterlesen",
  log: "Was geschah",
  prompt: "Auftrag",
  by: (who) => `von ${who}`,
  attachment: (name, size) => `${name}, ${formats.bytes(size)}`,
  attachments: "Anhänge",
  mode: (mode) => MODES[mode],
  fromTurn: "folgt einem früheren Auftrag",
  staysRunning: "Sie können diesen Tab schließen: Der Auftrag geht weiter.",
  connecting: "Verbindet …",
  letGo:
    "Andere Fenster dieses Browsers lesen gerade mit: Drücken Sie hier irgendwo, um weiterzulesen.",
  newRows: (n) => (n === 1 ? "1 neu" : `${formats.count(n)} neu`),
  toEnd: "Zum Ende",
  toStart: "Zum Anfang",
  linkTo: (n) => `Link zu Ereignis ${n}`,
  noSuchEvent: (n) => `Dieser Auftrag hat kein Ereignis ${n}.`,
  agentUp: (resumed) => (resumed ? "setzt das Gespräch fort" : "neues Gespräch"),
  agentVersion: (version) => `Version ${version}`,
  thinking: "Überlegung",
  thinkingKept: "Das Modell hat seine Überlegung für sich behalten.",
  writing: "Schreibt …",
  steer: (who) => `${who} sagte währenddessen`,
  unknown: (kind) =>
    `Etwas von einer Art, die diese Seite nicht kennt${kind === "" ? "" : `: ${kind}`}`,
  noticeMeans: (notice) =>
    notice.reason === NoticeReason.SESSION_MOVED ? movedText(notice) : (MEANT[notice.reason] ?? ""),
  notice: (reason) => NOTICES[reason] ?? NOTICES[NoticeReason.UNSPECIFIED],
  retry: (attempt, max) => (max > 0 ? `Versuch ${attempt} von ${max}` : `Versuch ${attempt}`),
  retryIn: (ms) => `nächster in ${formats.duration(ms)}`,
  noAnswer: "keine Antwort",
  httpStatus: (status) => `HTTP ${status}`,
  times: (n) => `${formats.count(n)}-mal`,
  call: (state) => CALLS[state],
  callLabel: (name, brief, state) => `${name}${brief === "" ? "" : ` ${brief}`}: ${CALLS[state]}`,
  took: (ms) => (ms < 1000 ? `${Math.max(0, Math.round(ms))} ms` : formats.duration(ms)),
  input: "Eingabe",
  inputLeftOut: (bytes) =>
    `Die Eingabe, ${formats.bytes(bytes)}, ist zu groß, um gezeigt zu werden.`,
  output: "Ausgabe",
  noOutput: "Keine Ausgabe",
  cut: (bytes) => `Gekürzt: Ganz sind es ${formats.bytes(bytes)}.`,
  ofNoCall: "Ergebnis eines Aufrufs, der nicht aufgezeichnet ist",
  showAll: (lines) => `Alle ${formats.count(lines)} Zeilen zeigen`,
  showLess: "Weniger zeigen",
  linesLeftOut: (lines) => `${formats.count(lines)} Zeilen`,
  search: "Darin suchen",
  found: (at, of, isMore) =>
    of === 0
      ? "nicht gefunden"
      : `${formats.count(at)} von ${formats.count(of)}${isMore ? " oder mehr" : ""}`,
  nextFound: "Weiter",
  previousFound: "Zurück",
  showMore: (bytes) => `Mehr zeigen (noch ${formats.bytes(bytes)})`,
  moreItems: (n) => `${formats.count(n)} weitere`,
  background: "im Hintergrund",
  timeout: (ms) => `höchstens ${ms} ms`,
  replaceAll: "überall",
  edit: (n, of) => `Änderung ${n} von ${of}`,
  tasks: { pending: "offen", in_progress: "in Arbeit", completed: "fertig" },
  outline: "Werkzeuge",
  outlineNone: "Es wurde kein Werkzeug aufgerufen.",
  outlineFailed: "Nur fehlgeschlagene",
  nextCall: "Nächstes Werkzeug",
  previousCall: "Voriges Werkzeug",
  toPrompt: "Zum Auftragsfeld",
  result: "Ergebnis",
  failed: "Fehlgeschlagen",
  duration: "Dauer",
  modelCalls: "Modellaufrufe",
  tokens: "Tokens",
  tokensIn: (n) => `${formats.count(n)} gelesen`,
  tokensOut: (n) => `${formats.count(n)} geschrieben`,
  cacheRead: (n) => `${formats.count(n)} aus dem Cache`,
  cacheWritten: (n) => `${formats.count(n)} in den Cache`,
  cost: "Kosten",
  stopReason: "Beendet durch",
  denials: (n) => (n === 1 ? "1 Aufruf wurde nicht erlaubt" : `${n} Aufrufe wurden nicht erlaubt`),
  denialsMean: "Vielleicht ist nicht getan, was gesagt wird.",
  structured: "Strukturierte Antwort",
  error: (reason) => ERRORS[reason] ?? ERRORS[ErrorReason.UNSPECIFIED],
  exitCode: (code) => `Exit-Code ${code}`,
  signal: (name) => `beendet durch ${name}`,
  stderr: "Das Ende dessen, was er nach stderr schrieb",
  lost: "Verloren heißt: Niemand hat die Arbeit des Agenten geordnet beendet, und nichts führt sie fort.",
  ended: (state) => `Der Auftrag ist beendet: ${STATES[state]}`,
};
