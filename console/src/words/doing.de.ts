import type { doing as english } from "./doing.en.ts";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("de");

export const doing: typeof english = {
  prompt: "Was ist zu tun?",
  promptMore: "Was ist als Nächstes zu tun?",
  promptKeys: "Enter sendet, Umschalt+Enter bricht die Zeile um.",
  send: "Senden",
  sending: "Unterwegs …",
  notReadOnly: "Sie dürfen hier lesen, aber nichts beauftragen: Das braucht die Rolle „operator“.",
  notInSession: "Sie dürfen diese Sitzung lesen, aber nichts in ihr beauftragen.",
  tooLong: (bytes, most) =>
    `Der Text hat ${formats.count(bytes)} Bytes; höchstens ${formats.count(most)} sind möglich.`,
  offline: "Dieses Gerät ist offline. Was Sie schreiben, bleibt hier.",
  agentKind: "Agent",
  can: (what) => `Kann: ${what}.`,
  abilities: {
    steer: "Nachrichten während der Arbeit annehmen",
    changeInput: "mit geänderter Eingabe erlaubt werden",
    images: "Bilder ansehen",
    resume: "eine Sitzung nach einem Neustart fortsetzen",
    cost: "sagen, was es kostet",
  },
  model: "Modell",
  agentDefinition: "Agentendefinition",
  defaultIs: (name) => (name === "" ? "wie auf dem Server eingestellt" : `leer: ${name}`),
  mode: "Modus",
  modeDefault: {
    ask: "Wie eingestellt: erst fragen",
    bypass: "Wie eingestellt: selbstständig",
  },
  ask: "Erst fragen",
  bypass: "Selbstständig",
  askMeans: "Jeder Aufruf eines Werkzeugs, den keine Regel erlaubt, wartet auf eine Freigabe.",
  bypassMeans: "Er tut alles, was keine Regel verbietet, und fragt niemanden.",
  onlyAsk:
    "Die Agenten dieses Servers fragen erst: Jeder Aufruf, den keine Regel erlaubt, wartet auf eine Freigabe.",
  more: "Mehr",
  maxCost: "Höchstens, in US-Dollar",
  maxModelTurns: "Höchstens so viele Aufrufe des Modells",
  timeout: "Höchstens, in Minuten",
  noNumber: "Hier gehört eine Zahl über 0 hin.",
  recall: "Dem Agenten sagen, was von dieser Sitzung aufgezeichnet ist",
  recallMeans: "Für einen Agenten, der sich nicht mehr erinnert.",
  attach: "Dateien anhängen …",
  attachments: "Dateien, die mitgehen",
  dropHere: "Dateien hier ablegen",
  remove: (name) => `${name} entfernen`,
  asFile: "Als Datei senden, nicht gezeigt",
  size: (bytes) => formats.bytes(bytes),
  shown: "wird dem Modell gezeigt",
  file: "eine Datei im Arbeitsverzeichnis",
  attachmentProblem: (problem) => {
    switch (problem.what) {
      case "name-long":
        return "Der Name ist länger als 255 Bytes.";
      case "name-bad":
        return "Im Namen steht ein Pfad, oder Zeichen, die niemand sieht.";
      case "gone":
        return "Sie ist nicht mehr da: Hängen Sie sie erneut an, oder entfernen Sie sie.";
      case "unread":
        return "Sie kann nicht gelesen werden.";
      case "image-large":
        return `Dem Agenten werden Bilder bis ${formats.bytes(problem.most)} gezeigt.`;
      case "too-large":
        return `Zusammen sind höchstens ${formats.bytes(problem.most)} möglich.`;
      case "too-many":
        return `Höchstens ${problem.most} Dateien sind möglich.`;
    }
  },
  retrying: (time) => `Um ${time} wird wieder gesendet; zweimal beginnt nichts.`,
  unanswered: "Der Server antwortet nicht.",
  stop: "Aufhören",
  unconfirmed:
    "Es wurde nicht bestätigt: Vielleicht läuft es schon, vielleicht nicht. Noch einmal zu senden ist sicher, es beginnt nicht zweimal.",
  sendAgain: "Noch einmal senden",
  changeIt: "Ändern",
  changeItMeans: "Was Sie ändern, ist ein anderer Auftrag: Sehen Sie nach, ob dieser läuft.",
  notArrived: "Es war nicht angekommen. Senden Sie es noch einmal.",
  inProgress: "Zum laufenden Auftrag",
  steerInstead: "Diesem Auftrag sagen",
  sendAfter: "Senden, wenn er zu Ende ist",
  waitingFor:
    "Es wird gesendet, wenn der laufende Auftrag zu Ende ist, solange diese Seite offen ist.",
  quotaSession: "Zur Sitzung, die zu löschen wäre",
  steer: "Dem Agenten sagen",
  steerSend: "Sagen",
  steerSent: "Gesagt. Der Agent nimmt es auf, sobald er kann.",
  steerSending: "Unterwegs …",
  steerUnconfirmed: "Es wurde nicht bestätigt: Vielleicht hat der Agent es, vielleicht nicht.",
  steerAgain: "Noch einmal senden",
  interrupt: "Unterbrechen",
  cancel: "Abbrechen",
  cancelQueued: "Zurücknehmen",
  actions: "Was mit diesem Auftrag geschehen soll",
  interrupting: "Der Agent wird angehalten …",
  canceling: "Der Auftrag wird beendet, mit allem, was er ausführt …",
  confirmCancel: "Das beendet, was der Auftrag ausführt. Was getan ist, bleibt getan.",
  cancelNow: "Beenden",
  back: "Zurück",
  notObeyed:
    "Der Agent hat nicht innerhalb von 5 s angehalten: Der Auftrag läuft weiter. Abbrechen beendet ihn.",
  askingTurn: "Das wurde nicht bestätigt. Der Server wird gefragt …",
  actUnconfirmed:
    "Das wurde nicht bestätigt, und der Server kann nicht gefragt werden: Der Auftrag läuft vielleicht weiter.",
  askAgain: "Den Server fragen",
  stillRuns: "Der Auftrag läuft noch: Das ist nicht angekommen, oder hat nicht geholfen.",
  stopped: "Angehalten. Abgebrochen.",
  endedBefore: "Der Auftrag war schon zu Ende.",
  queued: "Er wartet, bis zu Ende ist, was der Agent selbst tut; das wird nach 10 s unterbrochen.",
  cannotSteer: "Dieser Agent nimmt während der Arbeit keine Nachrichten an.",
};
