import { account } from "./account.de.ts";
import { app, keys } from "./app.de.ts";
import { approval } from "./approval.de.ts";
import { desk, filter, notify } from "./desk.de.ts";
import { doing } from "./doing.de.ts";
import type { Words } from "./en.ts";
import { formatsOf } from "./formats.ts";
import { palette } from "./palette.de.ts";
import { refusals } from "./refusals.de.ts";
import { deleting, exporting, link, session, sharing } from "./session.de.ts";
import { turn } from "./turn.de.ts";

const formats = formatsOf("de");
const time = new Intl.DateTimeFormat("de", { timeStyle: "medium" });

/** All words of the page in German. */
export const de: Words = {
  app,
  keys,
  palette,
  refusals,
  account,
  connection: {
    lostSince: (since) => `Verbindung wird seit ${time.format(since)} wiederhergestellt`,
    nextTry: (ms) => `nächster Versuch in ${formats.duration(ms)}`,
  },
  desk,
  filter,
  notify,
  turn,
  session,
  sharing,
  link,
  deleting,
  exporting,
  doing,
  approval,
};
