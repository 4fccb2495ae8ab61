import { fenced } from "../../errors.ts";
import type { Lease } from "../store.ts";
import type { Statements } from "./statements.ts";

/**
 * The lease on a file. Its lock is exclusive: whoever holds it is the only server there is, and every lease before has ended.
 *
 * It goes on record with the first of what is written under it, so that a server opens its store on a full disk too. One under
 * which nothing was written leaves its epoch to the next.
 */
export class FileLease implements Lease {
  /** A file has one at a time, and no need to tell it from others. */
  readonly owner = "the server of this file";
  readonly epoch: number;
  readonly #statements: Statements;
  #isRecorded = false;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.epoch = Number(statements.get("SELECT epoch FROM lease")?.epoch) + 1;
  }

  /** @throws Refusal FENCED where another lease is written under than the one that holds. */
  check(epoch: number): void {
    if (epoch !== this.epoch) throw fenced();
  }

  isOf(owner: string): boolean {
    return owner === this.owner;
  }

  /** Writes it into the transaction that is open. */
  record(): void {
    if (!this.#isRecorded) this.#statements.run("UPDATE lease SET epoch = ?", this.epoch);
  }

  /** Writes it again. An update that changes nothing would not reach the disk. */
  renew(): void {
    this.#statements.run("DELETE FROM lease");
    this.#statements.run("INSERT INTO lease (epoch) VALUES (?)", this.epoch);
  }

  /** The transaction was committed. */
  committed(): void {
    this.#isRecorded = true;
  }
}
