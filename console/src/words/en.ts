import { account } from "./account.en.ts";
import { app, keys } from "./app.en.ts";
import { approval } from "./approval.en.ts";
import { desk, filter, notify } from "./desk.en.ts";
import { doing } from "./doing.en.ts";
import { formatsOf } from "./formats.ts";
import { palette } from "./palette.en.ts";
import { refusals } from "./refusals.en.ts";
import { deleting, exporting, link, session, sharing } from "./session.en.ts";
import { turn } from "./turn.en.ts";

const formats = formatsOf("en");
const time = new Intl.DateTimeFormat("en", { timeStyle: "medium" });

/** All words of the page in English, by where they stand. */
export const en = {
  app,
  keys,
  palette,
  refusals,
  account,
  connection: {
    lostSince: (since: Date) => `Reconnecting since ${time.format(since)}`,
    nextTry: (ms: number) => `next try in ${formats.duration(ms)}`,
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

export type Words = typeof en;
