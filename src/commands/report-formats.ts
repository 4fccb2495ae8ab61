import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type Session, SessionSchema } from "../../gen/breakglass/v1/session_pb.ts";
import { type Turn, TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { jsonLine } from "./json-line.ts";
import { type Fact, factsOf, reportItem } from "./report-items.ts";
import {
  behindMargin,
  htmlText,
  joined,
  markdownText,
  oneLine,
  type Printable,
  print,
  terminalText,
  trimmed,
} from "./terminal-text.ts";

/** The formats of a report. */
export const REPORT_FORMATS = ["md", "json", "html"] as const;

/** One of them. */
export type ReportFormatName = (typeof REPORT_FORMATS)[number];

/** Writes a report from its beginning to its end, in pieces: it may be larger than the memory. */
export interface ReportFormat {
  /** @param session - Undefined: the report is of one turn. */
  begin(session: Session | undefined): Printable;
  /** @param isFirst - Of the report. */
  beginTurn(turn: Turn, isFirst: boolean): Printable;
  /** @param isFirst - Of the turn. */
  event(event: TurnEvent, isFirst: boolean): Printable;
  endTurn(): Printable;
  end(): Printable;
}

const TITLE_CHARACTERS = 1000;
const line = (text: string) => oneLine(text, TITLE_CHARACTERS);

/** One JSON document: `{"session":…,"turns":[{"turn":…,"events":[…]}]}`, each message in proto JSON. */
const json: ReportFormat = {
  begin(session) {
    const shown =
      session === undefined
        ? print``
        : print`"session":${trimmed(jsonLine(SessionSchema, session))},`;
    return print`{${shown}"turns":[`;
  },
  beginTurn: (turn, isFirst) =>
    print`${isFirst ? print`` : print`,`}\n{"turn":${trimmed(jsonLine(TurnSchema, turn))},"events":[`,
  event: (event, isFirst) =>
    print`${isFirst ? print`` : print`,`}\n${trimmed(jsonLine(TurnEventSchema, event))}`,
  endTurn: () => print`\n]}`,
  end: () => print`\n]}\n`,
};

/** Nothing that was said can look like a part of the report: prose is quoted, and a fence is longer than any inside. */
const md: ReportFormat = {
  begin: (session) =>
    session === undefined
      ? print`# Report of a turn\n`
      : print`# Report of a session\n\n${mdFacts(sessionFacts(session))}`,
  beginTurn: (turn) =>
    print`\n## Turn of ${mdCode(factsOf(turn).find(([name]) => name === "Began")?.[1] ?? "")}\n\n${mdFacts(factsOf(turn))}${turn.prompt === "" ? print`` : print`\n${quoted(turn.prompt)}`}`,
  event(event) {
    const item = reportItem(event);
    if (item === undefined) return print``;
    const inner = item.depth > 0 ? print`(subagent) ` : print``;
    const title = print`\n### ${mdCode(item.time)} ${inner}${markdownText(line(item.title))}\n`;
    if (item.body === undefined || item.body.text === "") return title;
    const { kind, text } = item.body;
    return print`${title}\n${kind === "prose" ? quoted(text) : fenced(text)}`;
  },
  endTurn: () => print``,
  end: () => print``,
};

function mdFacts(facts: readonly Fact[]): Printable {
  return print`${joined(
    facts.map(([name, value]) => print`- ${line(name)}: ${mdCode(value)}`),
    "\n",
  )}\n`;
}

function quoted(text: string): Printable {
  return print`${behindMargin(terminalText(text.replace(/\s+$/, "")), "> ")}\n`;
}

function fenced(text: string): Printable {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = terminalText("`".repeat(longest + 1));
  return print`${fence}\n${terminalText(text.replace(/\n$/, ""))}\n${fence}\n`;
}

/** On one line, as it is. */
function mdCode(text: string): Printable {
  const shown = line(text);
  const longest = Math.max(0, ...(shown.match(/`+/g) ?? []).map(({ length }) => length));
  const ticks = terminalText("`".repeat(longest + 1));
  const space = longest > 0 ? print` ` : print``;
  return print`${ticks}${space}${shown}${space}${ticks}`;
}

const STYLE =
  terminalText(`body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
dt{font-weight:600;float:left;clear:left;width:10rem}dd{margin-left:10.5rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:.6rem .8rem;background:#f4f4f4;border-left:3px solid #bbb}
pre.prose{font:inherit;background:none}section.bad>h3{color:#b00020}section.inner{margin-left:2rem}
h3{font-size:1rem;margin-bottom:.2rem}time{color:#666;font-weight:400}`);

/** A page by itself: it loads nothing, and runs nothing. */
const html: ReportFormat = {
  begin(session) {
    const title = session === undefined ? print`Report of a turn` : print`Report of a session`;
    const policy = print`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`;
    const facts = session === undefined ? print`` : htmlFacts(sessionFacts(session));
    return print`<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n${policy}\n<title>${title}</title>\n<style>${STYLE}</style>\n<h1>${title}</h1>\n${facts}`;
  },
  beginTurn(turn) {
    const prompt =
      turn.prompt === "" ? print`` : print`<pre class="prose">${htmlText(turn.prompt)}</pre>\n`;
    return print`<article>\n<h2>Turn</h2>\n${htmlFacts(factsOf(turn))}${prompt}`;
  },
  event(event) {
    const item = reportItem(event);
    if (item === undefined) return print``;
    const classes = print`${item.isBad ? print`bad ` : print``}${item.depth > 0 ? print`inner` : print``}`;
    const time = htmlText(item.time);
    const head = print`<section class="${trimmed(classes)}">\n<h3><time datetime="${time}">${time}</time> ${htmlText(line(item.title))}</h3>\n`;
    const { body } = item;
    if (body === undefined || body.text === "") return print`${head}</section>\n`;
    const kind = body.kind === "prose" ? print`prose` : print`code`;
    return print`${head}<pre class="${kind}">${htmlText(body.text)}</pre>\n</section>\n`;
  },
  endTurn: () => print`</article>\n`,
  end: () => print`</html>\n`,
};

function htmlFacts(facts: readonly Fact[]): Printable {
  const items = facts.map(
    ([name, value]) => print`<dt>${htmlText(name)}</dt><dd>${htmlText(line(value))}</dd>\n`,
  );
  return print`<dl>\n${joined(items, "")}</dl>\n`;
}

function sessionFacts(session: Session): Fact[] {
  return [
    ["Session", session.sessionId],
    ["Opened by", session.principal],
    ["Turns", String(session.turnCount)],
    ["Cost", `$${session.totalCostUsd.toFixed(4)}`],
  ];
}

/** The formats by their names. */
export const FORMATS: Readonly<Record<ReportFormatName, ReportFormat>> = { md, json, html };
