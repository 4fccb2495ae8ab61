import { STEPS } from "../../../src/store/postgres/schema.ts";
import { type Token, TokenReader, tokensOf } from "./sql/tokens.ts";
import type { Column, TableShape, UniqueKey } from "./table.ts";

interface Draft {
  readonly name: string;
  readonly columns: Column[];
  identity: string | undefined;
  readonly keys: UniqueKey[];
  readonly indexed: string[];
}

/** The tables of the store's schema, as its steps make them. Triggers and partitions are left out. */
export function readSchema(): ReadonlyMap<string, TableShape> {
  const drafts = new Map<string, Draft>();
  for (const statement of STEPS.flatMap(statementsOf)) {
    const tokens = new TokenReader(statement);
    if (tokens.accept("create", "table")) {
      const draft = readTable(tokens);
      drafts.set(draft.name, draft);
    } else if (tokens.accept("alter", "table")) {
      const draft = drafts.get(tokens.word());
      if (draft !== undefined && tokens.accept("add", "column")) readColumn(tokens, draft);
    } else if (tokens.accept("create", "unique", "index")) readIndex(tokens, drafts);
  }
  return drafts;
}

/** The statements of a step, without the functions, whose bodies are quoted otherwise. */
function statementsOf(step: string): Token[][] {
  const plain = step.replaceAll(/CREATE (OR REPLACE )?FUNCTION.*?END \$\$;/gs, "");
  const statements: Token[][] = [[]];
  for (const token of tokensOf(plain)) {
    if (token.text === ";" && token.kind === "mark") statements.push([]);
    else statements.at(-1)!.push(token);
  }
  return statements.map((tokens) => [...tokens, { kind: "end", text: "" }]);
}

function readTable(tokens: TokenReader): Draft {
  const name = tokens.word();
  const draft: Draft = { name, columns: [], identity: undefined, keys: [], indexed: [] };
  tokens.expect("(");
  do {
    if (tokens.accept("primary", "key")) addKey(draft, readNames(tokens));
    else readColumn(tokens, draft);
  } while (tokens.accept(","));
  return draft;
}

function readColumn(tokens: TokenReader, draft: Draft): void {
  const name = tokens.word();
  let otherwise: () => unknown = () => null;
  for (let depth = 0; tokens.next.kind !== "end"; ) {
    if (depth === 0 && (tokens.sees(",") || tokens.sees(")"))) break;
    if (tokens.accept("primary", "key") || tokens.accept("unique")) addKey(draft, [name]);
    else if (tokens.accept("references")) draft.indexed.push(name);
    else if (tokens.accept("as", "identity")) draft.identity = name;
    else if (tokens.accept("default")) otherwise = readDefault(tokens);
    else if (tokens.accept("(")) depth++;
    else if (tokens.accept(")")) depth--;
    else tokens.take();
  }
  draft.columns.push({ name, otherwise });
}

function readDefault(tokens: TokenReader): () => unknown {
  const { kind, text } = tokens.take();
  if (kind === "text") return () => text;
  if (kind === "number") return () => Number(text);
  if (text === "true" || text === "false") return () => text === "true";
  // A time that nothing is held against.
  return () => 0;
}

function readIndex(tokens: TokenReader, drafts: ReadonlyMap<string, Draft>): void {
  tokens.word();
  tokens.expect("on");
  const draft = drafts.get(tokens.word())!;
  const columns = readNames(tokens);
  if (!tokens.accept("where")) {
    addKey(draft, columns);
    return;
  }
  const condition = tokens.word();
  tokens.expect("is", "null");
  draft.keys.push({ columns, isMeant: (row) => row[condition] === null });
}

function readNames(tokens: TokenReader): string[] {
  tokens.expect("(");
  const names = tokens.list(() => tokens.word());
  tokens.expect(")");
  return names;
}

function addKey(draft: Draft, columns: readonly string[]): void {
  draft.keys.push({ columns, isMeant: () => true });
  draft.indexed.push(columns[0]!);
}
