import type { DatabaseSync } from "node:sqlite";
import { foldCase, SEARCHED_BYTES, searchedText } from "../prompt-text.ts";
import type { Statements } from "./statements.ts";

/** What a turn is found by beside its text; it never changes. Undefined: whatever it is. */
export interface IndexedTurn {
  /** Who runs it. */
  readonly principal?: string | undefined;
  /** Whose session it is in. */
  readonly sessionPrincipal?: string | undefined;
  /** A `TurnOrigin`. */
  readonly origin?: number | undefined;
  /** A `PermissionMode`. */
  readonly permissionMode?: number | undefined;
}

/** So many turns of one moment have keys of their own, and in the year 2248 the keys are still exact numbers. */
export const KEYS_OF_A_MOMENT = 1024;
/** More of a text only costs: what is found is looked at itself. */
const MOST_TRIGRAMS = 40;
const TRIGRAM = 3;

/**
 * Has a connection know what the index is made of, and what is looked for in prompts: `indexed_text` and `has_text`, of which
 * the second takes a text as `foldCase` leaves it.
 */
export function registerTextFunctions(database: DatabaseSync): void {
  const options = { deterministic: true };
  database.function("indexed_text", options, (prompt, principal, owner, origin, mode) =>
    indexedText(String(prompt), {
      principal: String(principal),
      sessionPrincipal: String(owner),
      origin: Number(origin),
      permissionMode: Number(mode),
    }),
  );
  database.function("has_text", options, (prompt, text) =>
    Number(searchedText(String(prompt)).includes(String(text))),
  );
}

/** A condition in SQL: a turn's prompt has the text that is bound. */
export const HAS_TEXT = `has_text(substr(prompt, 1, ${SEARCHED_BYTES}), ?)`;

/**
 * Which turns have which three characters in the beginnings of their prompts, in the order of their search keys: by the time,
 * and of one moment as they were recorded.
 *
 * 1. A turn that has a prompt is in it from the commit that records it to the one that removes it.
 * 2. It narrows down: who asks looks at what it finds.
 */
export class PromptIndex {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** The key of a turn that is recorded now. */
  nextKey(time: number): number {
    const sql = "SELECT max(search_key) AS newest FROM turns WHERE search_key BETWEEN ? AND ?";
    for (let moment = time; ; moment++) {
      const [first, last] = [moment * KEYS_OF_A_MOMENT, (moment + 1) * KEYS_OF_A_MOMENT - 1];
      const newest = this.#statements.get(sql, first, last)?.newest ?? first - 1;
      if (Number(newest) < last) return Number(newest) + 1;
    }
  }

  add(key: number, prompt: string, turn: IndexedTurn): void {
    if (prompt === "") return;
    const sql = "INSERT INTO prompts (rowid, text) VALUES (?, ?)";
    this.#statements.run(sql, key, indexedText(prompt, turn));
  }

  remove(key: number): void {
    this.#statements.run("DELETE FROM prompts WHERE rowid = ?", key);
  }
}

/**
 * What `prompts` is to match for turns that may have a text and be so. Undefined: the text is too short for the index.
 *
 * @param whose - Each is one that the turn may be. One that says nothing: any turn.
 */
export function matchOf(text: string, whose: readonly IndexedTurn[]): string | undefined {
  const trigrams = trigramsOf(foldCase(text));
  if (trigrams.length === 0) return undefined;
  const facts = whose.map((turn) => factsOf(turn).flatMap(trigramsOf));
  if (facts.some((one) => one.length === 0)) return allOf(trigrams);
  return `${allOf(trigrams)} AND (${facts.map(allOf).join(" OR ")})`;
}

/** Between characters that no prompt's or principal's are taken for. */
function factsOf(turn: IndexedTurn): string[] {
  const { principal, sessionPrincipal, origin, permissionMode } = turn;
  return [
    ...(principal === undefined ? [] : [`\u0001${principal}\u0001`]),
    ...(origin === undefined ? [] : [`\u0002${origin}\u0002`]),
    ...(permissionMode === undefined ? [] : [`\u0003${permissionMode}\u0003`]),
    ...(sessionPrincipal === undefined ? [] : [`\u0004${sessionPrincipal}\u0004`]),
  ];
}

function indexedText(prompt: string, turn: IndexedTurn): string {
  return `${searchedText(prompt)}${factsOf(turn).join("")}`;
}

/** Those that stand side by side, and the last: each one more is one more list to go through. */
function trigramsOf(text: string): string[] {
  const characters = Array.from(text);
  const last = characters.length - TRIGRAM;
  const found = new Set<string>();
  for (let at = 0; at <= last && found.size < MOST_TRIGRAMS; at += TRIGRAM) {
    found.add(characters.slice(at, at + TRIGRAM).join(""));
  }
  if (last >= 0) found.add(characters.slice(last).join(""));
  return [...found];
}

function allOf(trigrams: readonly string[]): string {
  return `(${trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(" AND ")})`;
}
