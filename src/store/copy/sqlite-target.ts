import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FILE_OWNER } from "../sqlite/file-leases.ts";
import { PromptIndex } from "../sqlite/prompt-index.ts";
import { prepare } from "../sqlite/schema.ts";
import { explainSqliteError } from "../sqlite/sqlite-failure.ts";
import type {
  CopiedRow,
  CopiedTable,
  CopiedValue,
  CopySide,
  CopyTarget,
  Counters,
} from "./copied-table.ts";
import { namesServers, SqliteSide } from "./sqlite-side.ts";

/** A commit has so many rows. */
const ROWS_A_COMMIT = 5000;
/** See AuditTable. */
const CHAIN_ROOM = 2 ** 32;

/**
 * Makes a file to copy into. It has a name of its own until it is complete, at which no server looks for one; what an
 * interrupted copy left there is removed.
 *
 * @throws Error with a message for the operator, where there is a store already or another copy is under way.
 */
export function openSqliteTarget(path: string, ownName: string | undefined): SqliteTarget {
  const isThere = existsSync(path) && statSync(path).size > 0;
  if (isThere || existsSync(`${path}-wal`)) {
    throw new Error("there is a store already: move it away, or copy to another directory");
  }
  const unfinished = `${path}.copy-under-way`;
  removeLeft(unfinished);
  try {
    closeSync(openSync(unfinished, "wx", 0o600));
    const database = new DatabaseSync(unfinished, { timeout: 0 });
    prepare(database);
    // A copy that is interrupted is made anew: what counts is that all is on disk at its end.
    database.exec("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF");
    return new SqliteTarget(database, ownName, unfinished, path);
  } catch (error) {
    throw new Error(explainSqliteError(error), { cause: error });
  }
}

function removeLeft(path: string): void {
  if (!existsSync(path)) return;
  try {
    using left = new DatabaseSync(path, { timeout: 0 });
    left.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    const { errcode } = error as { errcode?: number };
    if (errcode === 5 || errcode === 6) throw new Error("another copy into it is under way");
  }
  for (const end of ["", "-wal", "-shm", "-journal"]) rmSync(`${path}${end}`, { force: true });
}

/** A new store in a file. */
export class SqliteTarget extends SqliteSide implements CopyTarget {
  readonly #unfinished: string;
  readonly #path: string;
  readonly #prompts: PromptIndex;
  /** The number of each audit chain, by its server. */
  readonly #chains = new Map<CopiedValue, number>();
  #turn: { readonly turnId: CopiedValue; readonly turnKey: number } | undefined;

  constructor(
    database: DatabaseSync,
    ownName: string | undefined,
    unfinished: string,
    path: string,
  ) {
    super(database, ownName);
    this.#unfinished = unfinished;
    this.#path = path;
    this.#prompts = new PromptIndex(this.statements);
  }

  async begin(_source: CopySide): Promise<void> {}

  async write(table: CopiedTable, rows: ReturnType<CopySide["rows"]>): Promise<void> {
    const insert = this.#inserterOf(table);
    let written = 0;
    for await (const row of rows) {
      if (written % ROWS_A_COMMIT === 0) this.database.exec("BEGIN");
      insert(row);
      if (++written % ROWS_A_COMMIT === 0) this.database.exec("COMMIT");
    }
    if (written % ROWS_A_COMMIT !== 0) this.database.exec("COMMIT");
  }

  setCounters({ epoch, turnKey, outboxKey, change }: Counters): void {
    this.statements.run("UPDATE lease SET epoch = ?", epoch);
    for (const [table, given] of Object.entries({
      turns: turnKey,
      outbox: outboxKey,
      turn_changes: change,
    })) {
      this.statements.run("DELETE FROM sqlite_sequence WHERE name = ?", table);
      const sql = "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)";
      this.statements.run(sql, table, given);
    }
  }

  /** Has all on disk first, and then its name. */
  async complete(): Promise<void> {
    const wrong = this.database.prepare("PRAGMA foreign_key_check").get();
    if (wrong !== undefined) throw new Error(`a row of ${wrong.table} refers to what is not there`);
    this.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.database.close();
    sync(this.#unfinished);
    renameSync(this.#unfinished, this.#path);
    sync(dirname(this.#path));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.database.isOpen) this.database.close();
  }

  #inserterOf(table: CopiedTable): (row: CopiedRow) => void {
    if (table.name === "events") return (row) => this.#insertEvent(row);
    if (table.name === "audit") return (row) => this.#insertRecord(row);
    const { name, columns } = table;
    const more = name === "turns" ? ["search_key"] : [];
    const values = columns.map(({ name: column, type }) =>
      type === "bytea" && column === "prompt" ? "CAST(? AS TEXT)" : "?",
    );
    const sql = `INSERT INTO ${name} (${[...columns.map((column) => column.name), ...more].join(", ")})
      VALUES (${[...values, ...more.map(() => "?")].join(", ")})`;
    const ours = (row: CopiedRow) =>
      row.map((value, index) => (namesServers(columns[index]!) ? this.#ownOf(value) : value));
    if (name !== "turns") return (row) => void this.statements.run(sql, ...ours(row));
    const at = Object.fromEntries(columns.map((column, index) => [column.name, index]));
    return (row) => {
      const key = this.#prompts.nextKey(Number(row[at.create_time!]));
      this.statements.run(sql, ...ours(row), key);
      this.#prompts.add(key, Buffer.from(row[at.prompt!] as Uint8Array).toString(), {
        principal: String(row[at.principal!]),
        sessionPrincipal: String(row[at.session_principal!]),
        origin: Number(row[at.origin!]),
        permissionMode: Number(row[at.permission_mode!]),
      });
    };
  }

  #insertEvent([turnId, sequence, event]: CopiedRow): void {
    let turn = this.#turn;
    if (turn?.turnId !== turnId) {
      const row = this.statements.get("SELECT turn_key FROM turns WHERE turn_id = ?", turnId!);
      turn = { turnId: turnId!, turnKey: Number(row?.turn_key) };
      this.#turn = turn;
    }
    const sql = "INSERT INTO events (turn_key, sequence, event) VALUES (?, ?, ?)";
    this.statements.run(sql, turn!.turnKey, sequence!, event!);
  }

  #insertRecord([owner, sequence, line]: CopiedRow): void {
    let chain = this.#chains.get(owner!);
    if (chain === undefined) {
      const sql = "INSERT INTO audit_chains (owner) VALUES (?) RETURNING number";
      chain = Number(this.statements.get(sql, this.#ownOf(owner!))?.number);
      this.#chains.set(owner!, chain);
    }
    const sql = "INSERT INTO audit (place, line) VALUES (?, ?)";
    this.statements.run(sql, chain * CHAIN_ROOM + Number(sequence), line!);
  }

  #ownOf(server: CopiedValue): CopiedValue {
    return this.ownName !== undefined && server === this.ownName ? FILE_OWNER : server;
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
