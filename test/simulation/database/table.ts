import { type Lockable, type LockOwner, noLock } from "./locks.ts";
import { SqlError } from "./sql-error.ts";

/** A row as it is stored. It is never changed: another takes its place. */
export type Row = Readonly<Record<string, unknown>>;

/** The place of a row: what is committed, and what one transaction, which has it locked, has made of it. */
export interface Slot extends Lockable {
  readonly id: number;
  readonly table: Table;
  committed: Row | undefined;
  pending: { readonly by: LockOwner; readonly row: Row | undefined } | undefined;
}

export interface Column {
  readonly name: string;
  readonly otherwise: () => unknown;
}

/** Columns of which no two rows are the same, among the rows for which `isMeant` is so. */
export interface UniqueKey {
  readonly columns: readonly string[];
  isMeant(row: Row): boolean;
}

/** What a table is, without its rows. */
export interface TableShape {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Numbered by the table. */
  readonly identity: string | undefined;
  readonly keys: readonly UniqueKey[];
  /** Rows are found by these without a look at all of them. They never change in a row. */
  readonly indexed: readonly string[];
}

/** The rows of a table. */
export class Table {
  readonly shape: TableShape;
  readonly slots = new Map<number, Slot>();
  readonly #indexes: ReadonlyMap<string, Map<unknown, Set<Slot>>>;
  readonly #keyLocks = new Map<string, Lockable>();
  #lastId = 0;
  #lastIdentity = 0;

  constructor(shape: TableShape) {
    this.shape = shape;
    this.#indexes = new Map(shape.indexed.map((column) => [column, new Map()]));
  }

  hasIndex(column: string): boolean {
    return this.#indexes.has(column);
  }

  /** The places whose row has a value in a column that is indexed. */
  find(column: string, value: unknown): Iterable<Slot> {
    return this.#indexes.get(column)!.get(value) ?? [];
  }

  nextIdentity(): number {
    return ++this.#lastIdentity;
  }

  /** What whoever is about to write a key holds. */
  keyLock(key: string): Lockable {
    const lock = this.#keyLocks.get(key) ?? noLock();
    this.#keyLocks.set(key, lock);
    return lock;
  }

  /** A place for a row that is there from when it is committed. */
  add(row: Row, id = this.#lastId + 1): Slot {
    const slot: Slot = { ...noLock(), id, table: this, committed: undefined, pending: undefined };
    this.#lastId = Math.max(this.#lastId, id);
    this.slots.set(id, slot);
    for (const [column, index] of this.#indexes) {
      const found = index.get(row[column]);
      if (found === undefined) index.set(row[column], new Set([slot]));
      else found.add(slot);
    }
    return slot;
  }

  /** Takes away a place of which nothing is left. @param row - What it had. */
  drop(slot: Slot, row: Row): void {
    this.slots.delete(slot.id);
    for (const [column, index] of this.#indexes) {
      const found = index.get(row[column]);
      found?.delete(slot);
      if (found?.size === 0) index.delete(row[column]);
    }
  }

  /** Has what was committed, as it is read from what was written. */
  restore(id: number, row: Row | undefined): void {
    const known = this.slots.get(id);
    if (row === undefined) {
      if (known !== undefined) this.drop(known, known.committed!);
      return;
    }
    const slot = known ?? this.add(row, id);
    slot.committed = row;
    const { identity } = this.shape;
    if (identity !== undefined) {
      this.#lastIdentity = Math.max(this.#lastIdentity, row[identity] as number);
    }
  }

  /** A row with these values, and for the others what is otherwise there. */
  rowOf(given: ReadonlyMap<string, unknown>): Row {
    const row: Record<string, unknown> = {};
    for (const { name, otherwise } of this.shape.columns) {
      const isGiven = given.has(name);
      if (isGiven) row[name] = given.get(name) ?? null;
      else row[name] = name === this.shape.identity ? this.nextIdentity() : otherwise();
    }
    for (const name of given.keys()) {
      if (!(name in row)) throw new SqlError("42703", `${this.shape.name} has no ${name}`);
    }
    return row;
  }
}

/** The row that a transaction sees in a place. */
export function seen(slot: Slot, by: LockOwner): Row | undefined {
  return slot.pending?.by === by ? slot.pending.row : slot.committed;
}
