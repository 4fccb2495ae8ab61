import { type Lockable, type LockOwner, release, stopWaiting } from "./locks.ts";
import type { Row, Slot } from "./table.ts";

/** A row that a transaction has written: undefined where it has deleted it. */
export interface Change {
  readonly table: string;
  readonly id: number;
  readonly row: Row | undefined;
}

interface Undo {
  readonly slot: Slot;
  readonly before: Slot["pending"];
}

interface Savepoint {
  readonly name: string;
  readonly undos: number;
  readonly held: number;
}

/** What is done together or not at all, at the level READ COMMITTED. */
export class Transaction implements LockOwner {
  readonly held: Lockable[] = [];
  waitsFor: Lockable | undefined;
  readonly #undos: Undo[] = [];
  readonly #savepoints: Savepoint[] = [];

  write(slot: Slot, row: Row | undefined): void {
    this.#undos.push({ slot, before: slot.pending });
    slot.pending = { by: this, row };
  }

  /** What it has written by now. */
  get changes(): Change[] {
    const slots = new Set(this.#undos.map(({ slot }) => slot));
    return Array.from(slots, (slot) => {
      return { table: slot.table.shape.name, id: slot.id, row: slot.pending?.row };
    }).filter(({ table, id, row }) => row !== undefined || this.#hadRow(table, id));
  }

  /** What it has written is there for all from now on. */
  commit(): void {
    for (const slot of new Set(this.#undos.map((undo) => undo.slot))) {
      const { pending, committed } = slot;
      if (pending === undefined) continue;
      slot.committed = pending.row;
      slot.pending = undefined;
      if (pending.row === undefined && committed !== undefined) slot.table.drop(slot, committed);
    }
    this.#releaseFrom(0);
  }

  rollback(): void {
    stopWaiting(this);
    this.#undoTo(0);
    this.#releaseFrom(0);
  }

  save(name: string): void {
    this.#savepoints.push({ name, undos: this.#undos.length, held: this.held.length });
  }

  releaseSavepoint(name: string): void {
    this.#savepoints.splice(this.#indexOf(name));
  }

  /** Something in it has failed: what was written and locked since the last savepoint is not, though it goes on. */
  abort(): void {
    stopWaiting(this);
    const { undos, held } = this.#savepoints.at(-1) ?? { undos: 0, held: 0 };
    this.#undoTo(undos);
    this.#releaseFrom(held);
  }

  /** What was written and locked since is not. */
  rollbackTo(name: string): void {
    const at = this.#indexOf(name);
    const { undos, held } = this.#savepoints[at]!;
    this.#savepoints.splice(at + 1);
    this.#undoTo(undos);
    this.#releaseFrom(held);
  }

  #indexOf(name: string): number {
    return this.#savepoints.findLastIndex((savepoint) => savepoint.name === name);
  }

  #hadRow(table: string, id: number): boolean {
    return this.#undos.some(
      ({ slot }) =>
        slot.id === id && slot.table.shape.name === table && slot.committed !== undefined,
    );
  }

  #undoTo(length: number): void {
    while (this.#undos.length > length) {
      const { slot, before } = this.#undos.pop()!;
      const written = slot.pending?.row;
      slot.pending = before;
      if (slot.committed === undefined && before === undefined && written !== undefined) {
        slot.table.drop(slot, written);
      }
    }
  }

  #releaseFrom(index: number): void {
    for (const lockable of this.held.splice(index)) {
      if (!this.held.includes(lockable)) release(lockable, this);
    }
  }
}
