import { ChainCheck, ChainFault } from "../../audit/chain-check.ts";
import type { CopiedRow, CopiedTable, CopiedValue, CopySide, CopyTarget } from "./copied-table.ts";

/** What was copied of a table, and found equal. */
export interface ComparedTable {
  readonly name: string;
  readonly rows: number;
  /** Of texts and bytes. */
  readonly bytes: number;
}

/** A chain of the audit, as the copy has it. */
export interface ComparedChain {
  /** The server that wrote it. */
  readonly owner: string;
  readonly last: number;
  readonly hash: string;
  /** Where it is wrong, in the source too. Undefined: it is right. */
  readonly fault: string | undefined;
}

/** What was compared. */
export interface CopyReport {
  readonly tables: readonly ComparedTable[];
  readonly chains: readonly ComparedChain[];
}

/** Hears of what is done. */
export type CopyProgress = (doing: "copying" | "comparing", table: string) => void;

/**
 * Copies a store into an empty one, reads both again and compares them row by row. Only then may a server use the copy.
 *
 * @throws Error with a message for the operator where they differ, or one of them fails. Then no server uses the copy.
 */
export async function copyStore(
  source: CopySide,
  target: CopyTarget,
  tables: readonly CopiedTable[],
  tell: CopyProgress,
): Promise<CopyReport> {
  await target.begin(source);
  for (const table of tables) {
    tell("copying", table.name);
    await target.write(table, source.rows(table));
  }
  await target.setCounters(await source.counters());
  const report = await compareStores(source, target, tables, tell);
  await target.complete();
  return report;
}

/** Reads two stores and compares them. @throws Error that names the first row that differs. */
export async function compareStores(
  source: CopySide,
  target: CopySide,
  tables: readonly CopiedTable[],
  tell: CopyProgress,
): Promise<CopyReport> {
  const compared: ComparedTable[] = [];
  const chains = new Chains();
  for (const table of tables) {
    tell("comparing", table.name);
    const take = table.name === "audit" ? (row: CopiedRow) => chains.take(row) : () => {};
    compared.push(await compareTable(source, target, table, take));
  }
  const [ours, theirs] = [await source.counters(), await target.counters()];
  for (const [name, value] of Object.entries(ours)) {
    // A store that has told of no change has the first cursor, whether it is written or not.
    const least = name === "change" ? 1 : 0;
    const copied = theirs[name as keyof typeof theirs];
    if (Math.max(value, least) !== Math.max(copied, least)) {
      throw new Error(`the copy differs: ${name} is ${copied} there, and ${value} in the source`);
    }
  }
  return { tables: compared, chains: chains.end() };
}

async function compareTable(
  source: CopySide,
  target: CopySide,
  table: CopiedTable,
  take: (row: CopiedRow) => void,
): Promise<ComparedTable> {
  const copies = iteratorOf(target.rows(table));
  let rows = 0;
  let bytes = 0;
  for await (const row of source.rows(table)) {
    rows++;
    const copy = (await copies.next()).value;
    const differing =
      copy === undefined ? 0 : row.findIndex((value, at) => !isSame(value, copy[at]));
    if (differing >= 0) throw differs(table, row, rows, copy === undefined ? undefined : differing);
    for (const value of copy!) bytes += typeof value === "number" ? 0 : (value?.length ?? 0);
    take(copy!);
  }
  const more = (await copies.next()).value;
  if (more !== undefined) throw differs(table, more, rows + 1, undefined);
  // What no order leads to is found by counting.
  for (const side of [source, target]) {
    const counted = await side.count(table);
    if (counted === rows) continue;
    const which = side === source ? "the source" : "the copy";
    throw new Error(
      `${which} has ${counted} rows in ${table.name}, of which ${rows} belong to a turn`,
    );
  }
  return { name: table.name, rows, bytes };
}

function iteratorOf(rows: ReturnType<CopySide["rows"]>) {
  return Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
}

function isSame(value: CopiedValue, copy: CopiedValue | undefined): boolean {
  if (value instanceof Uint8Array && copy instanceof Uint8Array) {
    return Buffer.compare(value, copy) === 0;
  }
  return value === copy;
}

function differs(table: CopiedTable, row: CopiedRow, place: number, column: number | undefined) {
  const named = table.columns.flatMap(({ name, type }, at) =>
    table.key.includes(name) && type !== "bytea" ? [`${name} ${row[at]}`] : [],
  );
  const what =
    column === undefined ? "is in one alone" : `differs in ${table.columns[column]!.name}`;
  return new Error(`the copy differs: row ${place} of ${table.name} (${named.join(", ")}) ${what}`);
}

/** The chains that are in the copy, each checked as `audit verify` does it. */
class Chains {
  readonly #found: ComparedChain[] = [];
  #owner: CopiedValue | undefined;
  #check = new ChainCheck();
  #fault: string | undefined;

  /** In the order of the servers, and of each of the sequences. */
  take([owner, , line]: CopiedRow): void {
    if (this.#owner !== owner) this.#finish();
    this.#owner = owner!;
    this.#attempt(() => this.#check.take(String(line)));
  }

  end(): ComparedChain[] {
    this.#finish();
    return this.#found;
  }

  #finish(): void {
    if (this.#owner === undefined) return;
    let ended = { last: 0, hash: "" };
    this.#attempt(() => (ended = this.#check.end()));
    const { last, hash } = ended;
    this.#found.push({ owner: String(this.#owner), last, hash, fault: this.#fault });
    this.#check = new ChainCheck();
    this.#fault = undefined;
  }

  #attempt(work: () => void): void {
    if (this.#fault !== undefined) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof ChainFault)) throw error;
      this.#fault = `record ${error.sequence}: ${error.message}`;
    }
  }
}
