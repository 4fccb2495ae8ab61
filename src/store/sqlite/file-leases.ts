import { fenced } from "../../errors.ts";
import type { HomeRecord } from "../store.ts";
import type { Statements } from "./statements.ts";

/** The name of a file's server, where it has one: there is no need to tell it from others. */
export const FILE_OWNER = "the server of this file";

interface HeldLease {
  readonly owner: string;
  /** What other servers reach it by. */
  readonly address: string;
  /** When it runs out, by the clock of the file. */
  until: number;
}

/**
 * The leases on a file. Its lock is exclusive: all that hold are held in this process, and every one before has ended.
 *
 * The newest epoch goes on record with the first of what is written under it, so that a server opens its store on a full
 * disk too. One under which nothing was written leaves its epoch to the next process.
 */
export class FileLeases {
  readonly #statements: Statements;
  readonly #held = new Map<number, HeldLease>();
  #newest: number;
  #recorded: number;

  constructor(statements: Statements) {
    this.#statements = statements;
    this.#newest = Number(statements.get("SELECT epoch FROM lease")?.epoch);
    this.#recorded = this.#newest;
  }

  /** Opens one, which ends those of the same owner. Answers its epoch. */
  open(owner: string, address: string, until: number): number {
    this.#endWhere((lease) => lease.owner === owner);
    const epoch = ++this.#newest;
    this.#held.set(epoch, { owner, address, until });
    return epoch;
  }

  /** Ends one. Idempotent. */
  end(epoch: number): void {
    this.#held.delete(epoch);
  }

  /** @throws Refusal FENCED where it has ended. */
  renew(epoch: number, until: number): void {
    this.#heldAt(epoch).until = until;
  }

  /** As `Leases.fence`. */
  fence(owner: string, epoch: number, now: number): boolean {
    this.#heldAt(epoch);
    this.#endWhere((lease) => lease.owner === owner && lease.until < now);
    return !this.isHeldBy(owner);
  }

  /** Whose lease it is. @throws Refusal FENCED where it has ended. */
  ownerOf(epoch: number): string {
    return this.#heldAt(epoch).owner;
  }

  holds(epoch: number): boolean {
    return this.#held.has(epoch);
  }

  isHeldBy(owner: string): boolean {
    return this.owners().includes(owner);
  }

  /** A server as the home of something. */
  homeOf(owner: string): HomeRecord {
    const held = [...this.#held.values()].find((lease) => lease.owner === owner);
    return { owner, address: held?.address ?? "", isPresent: held !== undefined };
  }

  /** Who holds one. */
  owners(): string[] {
    return Array.from(this.#held.values(), ({ owner }) => owner);
  }

  /** Whose has run out. */
  ranOut(now: number): string[] {
    return [...this.#held.values()].filter(({ until }) => until < now).map(({ owner }) => owner);
  }

  /**
   * @param turnEpoch - Of the lease under which a turn was recorded.
   * @throws Refusal FENCED where what is written for the turn is another server's to write.
   */
  checkTurn(turnEpoch: number, epoch: number): void {
    this.#heldAt(epoch);
    if (turnEpoch !== epoch && this.#held.has(turnEpoch)) throw fenced();
  }

  /** Writes the newest into the transaction that is open. */
  record(): void {
    if (this.#recorded === this.#newest) return;
    this.#statements.run("UPDATE lease SET epoch = ?", this.#newest);
  }

  /** Writes the newest, whether it is on record or not: an update that changes nothing would not reach the disk. */
  rewrite(): void {
    this.#statements.run("DELETE FROM lease");
    this.#statements.run("INSERT INTO lease (epoch) VALUES (?)", this.#newest);
  }

  /** The transaction was committed. */
  committed(): void {
    this.#recorded = this.#newest;
  }

  #heldAt(epoch: number): HeldLease {
    const lease = this.#held.get(epoch);
    if (lease === undefined) throw fenced();
    return lease;
  }

  #endWhere(isEnded: (lease: HeldLease) => boolean): void {
    for (const [epoch, lease] of this.#held) if (isEnded(lease)) this.#held.delete(epoch);
  }
}
