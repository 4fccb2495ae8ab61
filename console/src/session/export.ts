import { isLive, type Session, type Turn, type TurnEvent } from "@breakglass/client";
import { words } from "../words/words.ts";
import { jsonEnd, jsonEvent, jsonHead, jsonTurn, jsonTurnEnd } from "./export-json.ts";
import { eventText, sessionHead, strangeHead, turnHead } from "./export-markdown.ts";

export type ExportFormat = "markdown" | "json";

/** What is exported: a session's turns in their order, or one of them. */
export interface Exported {
  /** Undefined: it is not shown to whoever exports. */
  readonly session: Session | undefined;
  readonly turns: readonly Turn[];
  /** Of the server. */
  readonly version: string;
  readonly now: Date;
  /** The events that a turn has on record, in their order. */
  events(turn: Turn): AsyncIterable<TurnEvent>;
}

/** Writes an export piece by piece, so that no turn has to be held whole. */
export function exportText(exported: Exported, format: ExportFormat): AsyncGenerator<string> {
  return format === "json" ? jsonText(exported) : markdownText(exported);
}

async function* jsonText({ session, turns, version, now, events }: Exported) {
  yield jsonHead(session, version, now);
  for (const [index, turn] of turns.entries()) {
    yield jsonTurn(turn, index === 0);
    let isFirst = true;
    for await (const event of events(turn)) {
      yield jsonEvent(event, isFirst);
      isFirst = false;
    }
    yield jsonTurnEnd;
  }
  yield jsonEnd;
}

async function* markdownText({ session, turns, version, now, events }: Exported) {
  if (session === undefined) yield strangeHead(turns[0]?.sessionId ?? "", version, now);
  else yield sessionHead(session, version, now);
  for (const [index, turn] of turns.entries()) {
    yield turnHead(turn, index + 1, turns.length);
    for await (const event of events(turn)) yield eventText(event);
    if (isLive(turn.state)) yield `*${words.exporting.running}*\n\n`;
  }
}

/** A file's name that every system takes. */
export function exportName(id: string, format: ExportFormat): string {
  return `breakglass-${id}.${format === "json" ? "json" : "md"}`;
}
