import { isFenced } from "../../src/errors.ts";
import type { EventBatch } from "../../src/store/writes.ts";
import type { Backend, DatabaseWatcher } from "./database/backend.ts";
import type { Database } from "./database/database.ts";
import type { Row } from "./database/table.ts";
import type { Change } from "./database/transaction.ts";
import type { Process } from "./process.ts";
import type { SimulatedRun } from "./simulated-run.ts";
import { TERMS } from "./terms.ts";
import type { World } from "./world.ts";

/** What has happened that must not. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What is on record of a turn. */
interface KnownTurn {
  readonly epoch: number;
  lastSequence: number;
  hasEnd: boolean;
}

/** An event that somebody was told is on record. */
interface Acknowledged {
  readonly turnId: string;
  readonly sequence: number;
  readonly event: Buffer;
}

/**
 * What holds at each moment of a simulation.
 *
 * 1. An incarnation belongs to one process, and is fenced for good.
 * 2. A turn's incarnation does not change. Only that one appends to it, but for the end by who found it fenced.
 * 3. Nothing is committed under an incarnation behind its fence.
 * 4. The events of a turn follow each other without a gap, and nothing follows the one end.
 * 5. What was acknowledged is there and stays, with a standby too.
 * 6. A lease that has not run out is ended by its own replica alone.
 * 7. A session has one agent at a time. One that was started by a server that was stopped since may go on until that server
 *    has been refused.
 * 8. Whose lease has run out has no agent any more, unless the server was stopped.
 * 9. A request becomes one turn, and one agent.
 * 10. A session moves only when all incarnations of its home are fenced that were there when that was looked at.
 */
export class Invariants implements DatabaseWatcher {
  readonly #world: World;
  database!: Database;
  readonly #processes = new Map<number, { readonly process: Process; readonly replica: string }>();
  readonly #names = new Map<Process, string>();
  readonly #agents = new Set<SimulatedRun>();
  readonly #requests = new Map<string, string>();
  #turns = new Map<string, KnownTurn>();
  #fenced = new Set<number>();
  #homes = new Map<string, string>();
  readonly #openedAt = new Map<number, number>();
  readonly #acknowledged: Acknowledged[] = [];
  readonly #positions = new Map<string, number>();
  readonly #refusedAt = new Map<Process, number>();
  #violation: Violation | undefined;
  /** Of turns and sessions, by their ids, which are others each time. */
  readonly #words = new Map<string, string>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @throws Violation of what was found. */
  check(): void {
    this.#checkLeases();
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** How many turns there are, and how many have ended. */
  get turns(): { readonly count: number; readonly unended: string[] } {
    const unended = [...this.#turns].filter(([, { hasEnd }]) => !hasEnd).map(([id]) => id);
    return { count: this.#turns.size, unended: unended.map((id) => this.#word("turn", id)) };
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.length;
  }

  opened(replica: string, process: Process, epoch: number): void {
    this.#hold(!this.#processes.has(epoch), `incarnation ${epoch} was given twice`); // 1.
    this.#processes.set(epoch, { process, replica });
    this.#names.set(process, replica);
  }

  committed(changes: readonly Change[], backend: Backend, position: number): void {
    const ended = new Map<string, number>();
    for (const { table, row } of changes) {
      if (table !== "turns" || row === undefined) continue;
      this.#turnCommitted(row);
      if (row.end_time !== null) ended.set(String(row.turn_id), Number(row.end_sequence));
    }
    const events = changes.flatMap(({ table, row }) =>
      table === "events" && row !== undefined ? [row] : [],
    );
    for (const row of events.sort((a, b) => Number(a.sequence) - Number(b.sequence))) {
      this.#eventCommitted(row, backend, ended, position);
    }
    for (const [turnId, sequence] of ended) {
      const turn = this.#turns.get(turnId)!;
      this.#hold(
        turn.lastSequence === sequence,
        `${this.#word("turn", turnId)} ends at ${sequence}, and has ${turn.lastSequence} events`,
      );
      turn.hasEnd = true;
    }
    for (const { table, row } of changes) {
      if (table === "replicas" && row !== undefined) this.#leaseCommitted(row, backend);
      if (table === "sessions" && row !== undefined) this.#homeCommitted(row, backend);
    }
  }

  promoted(): void {
    this.#world.tell("a standby is the primary now");
    this.#turns = new Map();
    this.#fenced = new Set();
    this.#positions.clear();
    const rows = (table: string) =>
      [...this.database.tables.get(table)!.slots.values()].map(({ committed }) => committed!);
    for (const row of rows("replicas")) {
      if (row.fenced === true) this.#fenced.add(Number(row.incarnation));
    }
    this.#homes = new Map(
      rows("sessions").map((row) => [String(row.session_key), String(row.home)]),
    );
    for (const row of rows("turns")) {
      const turn = { epoch: Number(row.epoch), lastSequence: 0, hasEnd: row.end_time !== null };
      this.#turns.set(String(row.turn_id), turn);
    }
    for (const row of rows("events")) {
      const turn = this.#turns.get(String(row.turn_id));
      this.#hold(turn !== undefined, "an event is there without its turn");
      turn!.lastSequence = Math.max(turn!.lastSequence, Number(row.sequence));
      this.#positions.set(`${row.turn_id}/${row.sequence}`, this.database.safe);
    }
    this.checkAcknowledged();
  }

  /** 5. */
  checkAcknowledged(): void {
    for (const { turnId, sequence, event } of this.#acknowledged) {
      const there = this.#eventOf(turnId, sequence);
      this.#hold(
        there?.equals(event) === true,
        `event ${sequence} of ${this.#word("turn", turnId)} was acknowledged and ${there ? "is another" : "is lost"}`,
      );
    }
  }

  acknowledged({ turnId, firstSequence, events }: EventBatch): void {
    for (const [index, bytes] of events.entries()) {
      const sequence = firstSequence + index;
      const event = Buffer.from(bytes);
      this.#acknowledged.push({ turnId, sequence, event });
      const position = this.#positions.get(`${turnId}/${sequence}`);
      const isThere = position !== undefined && position <= this.database.safe;
      this.#hold(
        isThere,
        `event ${sequence} of ${this.#word("turn", turnId)} was acknowledged before it was safe`,
      );
      if (this.#eventOf(turnId, sequence)?.equals(event) !== true) {
        this.#hold(
          false,
          `another event ${sequence} of ${this.#word("turn", turnId)} is on record than was said`,
        );
      }
    }
  }

  /** A process was told that something it asked for is not done. */
  refused(process: Process, error: Error): void {
    if (isFenced(error)) this.#refusedAt.set(process, this.#world.now);
  }

  agentStarted(run: SimulatedRun, replica: string): void {
    const { sessionKey, requestId, turnId } = run;
    const known = this.#requests.get(requestId);
    this.#hold(known === undefined, `${requestId} became two turns`); // 9.
    this.#requests.set(requestId, turnId);
    for (const other of this.#agents) {
      if (other.sessionKey !== sessionKey || this.#isExcused(other.process)) continue;
      this.#hold(
        false,
        `${this.#word("session", sessionKey)} has an agent on ${replica} and one on ${this.#names.get(other.process)}`, // 7.
      );
    }
    this.#agents.add(run);
    this.#world.tell(`an agent begins on ${replica}, in ${this.#word("turn", turnId)}`);
  }

  agentGone(run: SimulatedRun): void {
    this.#agents.delete(run);
  }

  /** Whether a process was stopped for a while, and cannot know yet what has happened since. */
  #isExcused(process: Process): boolean {
    if (process.isFrozen) return true;
    const sinceMs = this.#world.now - process.wokeAt;
    const refusedAt = this.#refusedAt.get(process) ?? Number.NEGATIVE_INFINITY;
    // Its agents have the time of the ladder behind the refusal.
    if (refusedAt >= process.wokeAt) return this.#world.now - refusedAt < LADDER_MS;
    return sinceMs < TERMS.leaseMs;
  }

  #turnCommitted(row: Row): void {
    const turnId = String(row.turn_id);
    const epoch = Number(row.epoch);
    const known = this.#turns.get(turnId);
    if (known === undefined) {
      this.#turns.set(turnId, { epoch, lastSequence: 0, hasEnd: false });
      this.#hold(
        !this.#fenced.has(epoch),
        `${this.#word("turn", turnId)} began under ${epoch}, which is fenced`,
      ); // 3.
      return;
    }
    this.#hold(known.epoch === epoch, `${this.#word("turn", turnId)} is under another incarnation`); // 2.
    this.#hold(!known.hasEnd, `${this.#word("turn", turnId)} was changed behind its end`); // 4.
  }

  #eventCommitted(
    row: Row,
    backend: Backend,
    ended: ReadonlyMap<string, number>,
    position: number,
  ): void {
    const turnId = String(row.turn_id);
    const sequence = Number(row.sequence);
    const turn = this.#turns.get(turnId);
    if (turn === undefined) {
      this.#hold(false, `${this.#word("turn", turnId)} has an event and no record`);
      return;
    }
    this.#hold(
      !turn.hasEnd,
      `event ${sequence} of ${this.#word("turn", turnId)} is behind its end`,
    ); // 4.
    this.#hold(
      sequence === turn.lastSequence + 1,
      `event ${sequence} of ${this.#word("turn", turnId)} follows ${turn.lastSequence}`, // 4.
    );
    turn.lastSequence = sequence;
    this.#positions.set(`${turnId}/${sequence}`, position);
    const isOwn = this.#processes.get(turn.epoch)?.process === backend.owner;
    const isFenced = this.#fenced.has(turn.epoch);
    const isEnd = ended.get(turnId) === sequence;
    this.#hold(
      isOwn !== isFenced || (isFenced && isEnd && !isOwn),
      `event ${sequence} of ${this.#word("turn", turnId)} is by ${this.#names.get(backend.owner as Process)}: ${isOwn ? "its incarnation is fenced" : "its incarnation holds"}`, // 2. 3.
    );
    if (!isOwn)
      this.#hold(
        isEnd,
        `event ${sequence} of ${this.#word("turn", turnId)} is another's, and no end`,
      ); // 2.
  }

  /** 10. */
  #homeCommitted(row: Row, { beganAt }: Backend): void {
    const [key, home] = [String(row.session_key), String(row.home)];
    const before = this.#homes.get(key);
    this.#homes.set(key, home);
    if (before === undefined || before === home) return;
    this.#world.tell(`${this.#word("session", key)} moves from ${before} to ${home}`);
    for (const [epoch, { replica }] of this.#processes) {
      // One that is opened meanwhile asks for the session behind the move, which has its row.
      const isNew = (this.#openedAt.get(epoch) ?? 0) >= beganAt;
      const holds = replica === before && !isNew && !this.#fenced.has(epoch);
      this.#hold(!holds, `${this.#word("session", key)} moves, and ${before} holds ${epoch}`);
    }
  }

  #leaseCommitted(row: Row, backend: Backend): void {
    const epoch = Number(row.incarnation);
    const owner = this.#processes.get(epoch);
    if (row.fenced !== true) {
      if (!this.#openedAt.has(epoch)) this.#openedAt.set(epoch, this.#world.now);
      this.#hold(!this.#fenced.has(epoch), `incarnation ${epoch} is fenced no more`); // 1.
      return;
    }
    this.#fenced.add(epoch);
    const by = this.#names.get(backend.owner as Process);
    const isOthers = owner !== undefined && by !== undefined && by !== owner.replica;
    if (!isOthers) return;
    this.#world.tell(`${by} has fenced incarnation ${epoch} of ${owner.replica}`);
    this.#hold(
      Number(row.lease_until) < this.database.clock,
      `${by} has fenced ${owner.replica}, whose lease holds`, // 6.
    );
  }

  /** 8. */
  #checkLeases(): void {
    for (const { process, epoch, turnId } of this.#agents) {
      if (process.isFrozen || this.#world.now - process.wokeAt < TERMS.leaseMs) continue;
      const [slot] = this.database.tables.get("replicas")!.find("incarnation", epoch);
      const until = Number(slot?.committed?.lease_until ?? Number.POSITIVE_INFINITY);
      if (this.database.clock <= until + SKEW_MS) continue;
      const name = this.#names.get(process);
      this.#hold(
        false,
        `an agent works on ${name} in ${this.#word("turn", turnId)}, and its lease is over for ${this.database.clock - until} ms`,
      );
    }
  }

  #eventOf(turnId: string, sequence: number): Buffer | undefined {
    for (const { committed } of this.database.tables.get("events")!.find("turn_id", turnId)) {
      if (committed?.sequence === sequence) return committed.event as Buffer;
    }
    return undefined;
  }

  #word(what: "turn" | "session", id: string): string {
    const word = this.#words.get(id) ?? `${what} ${this.#words.size + 1}`;
    this.#words.set(id, word);
    return word;
  }

  #hold(isSo: boolean, otherwise: string): void {
    if (!isSo) this.#violation ??= new Violation(otherwise);
  }
}

/** The longest that it takes to stop an agent, and then some. */
const LADDER_MS = 10_000;
/** By how much the clocks of the hosts of a database differ at most: where one follows the other the time leaps. */
const SKEW_MS = 600;
