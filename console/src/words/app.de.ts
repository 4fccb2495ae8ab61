import type { app as appEn, keys as keysEn } from "./app.en.ts";
import { formatsOf } from "./formats.ts";

const formats = formatsOf("de");

export const app: typeof appEn = {
  nothingHere: "Hier ist nichts.",
  toDesk: "Zur Übersicht",
  skip: "Zum Inhalt springen",
  home: "Übersicht",
  title: (view, waiting) =>
    `${waiting > 0 ? `(${waiting}) ` : ""}${view === "" ? "" : `${view} – `}breakglass`,
  waitsForYou: (n) =>
    n === 1 ? "1 Freigabe wartet auf Sie" : `${formats.count(n)} Freigaben warten auf Sie`,
  nothingWaits: "Nichts wartet auf Sie",
  account: "Angemeldet als",
  notTold: "Ohne Anmeldung",
  roles: "Rollen",
  means: {
    local: "auf dem Rechner des Servers",
    token: "mit einem Token",
    certificate: "mit einem Client-Zertifikat",
    jwt: "mit einem Token Ihrer Organisation",
    proxy: "über den Proxy",
    unknown: "",
  },
  connected: "Verbunden",
  connecting: "Verbindung wird aufgebaut …",
  draining: "Der Server wird beendet: er nimmt keine neuen Aufträge an.",
  version: (version) => `breakglass ${version}`,
  menu: "Menü",
  close: "Schließen",
  cancel: "Zurück",
  more: "Mehr",
  copy: "Kopieren",
  copied: "Kopiert",
  copyFailed: "Der Browser ließ das Kopieren nicht zu.",
  failed: "Das ging nicht",
};

export const keys: typeof keysEn = {
  title: "Tasten",
  open: "Tasten anzeigen",
  palette: "Befehle und Suche",
  letters: "Tasten aus einem Buchstaben",
  lettersNote:
    "Ohne sie gelten nur Kombinationen mit Strg oder Cmd. Während Sie schreiben, gelten sie nie.",
  everywhere: "Überall",
  here: "Hier",
  andThen: "dann",
  desk: "Zur Übersicht",
  prompt: "Neuer Auftrag",
  next: "Weiter",
  previous: "Zurück",
  openIt: "Öffnen",
};
