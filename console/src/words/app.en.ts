import { formatsOf } from "./formats.ts";

const formats = formatsOf("en");

export const app = {
  nothingHere: "Nothing is here.",
  toDesk: "To the desk",
  skip: "Skip to the content",
  home: "Desk",
  /** The document's title: what is shown, and how much waits for whoever looks. */
  title: (view: string, waiting: number) =>
    `${waiting > 0 ? `(${waiting}) ` : ""}${view === "" ? "" : `${view} – `}breakglass`,
  waitsForYou: (n: number) =>
    n === 1 ? "1 approval waits for you" : `${formats.count(n)} approvals wait for you`,
  nothingWaits: "Nothing waits for you",
  account: "Signed in as",
  notTold: "Without signing in",
  roles: "Roles",
  means: {
    local: "on the server's own machine",
    token: "by a token",
    certificate: "by a client certificate",
    jwt: "by a token of your organization",
    proxy: "by the proxy",
    unknown: "",
  },
  connected: "Connected",
  connecting: "Connecting …",
  draining: "The server is about to end: it takes no new turns.",
  version: (version: string) => `breakglass ${version}`,
  menu: "Menu",
  close: "Close",
  cancel: "Back",
  more: "More",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "The browser did not let the page copy it.",
  failed: "That did not work",
};

export const keys = {
  title: "Keys",
  open: "Show the keys",
  palette: "Commands and search",
  letters: "Keys of a single letter",
  lettersNote:
    "Without them only combinations with Ctrl or Cmd work. They are never heard while you type.",
  everywhere: "Everywhere",
  here: "Here",
  andThen: "then",
  desk: "To the desk",
  prompt: "New prompt",
  next: "Next",
  previous: "Previous",
  openIt: "Open",
};
