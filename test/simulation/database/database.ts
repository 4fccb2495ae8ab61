import type { World } from "../world.ts";
import { Backend, type Compiled, type DatabaseWatcher, type Primary } from "./backend.ts";
import { readSchema } from "./schema.ts";
import { compileStatement } from "./sql/execute.ts";
import { parseStatements } from "./sql/parse-statement.ts";
import { Table } from "./table.ts";
import type { Change } from "./transaction.ts";

/** A commit as it is written, in the order of all. */
interface Written {
  readonly time: number;
  readonly changes: readonly Change[];
}

/** A commit that waits for a standby to have it. */
interface WaitingCommit {
  /** How many are written with it. */
  readonly position: number;
  readonly backend: Backend;
  /** @param isWarned - The wait was ended before a standby had it. */
  done(isWarned: boolean): void;
}

/** One of the hosts of the database. */
export class Host {
  readonly name: string;
  role: "primary" | "standby" | "down" = "standby";
  /** How long what is written takes to it. */
  readonly delayMs: number;
  /** How much later its clock is. */
  readonly skewMs: number;
  /** How many commits it has, of those that were looked at. */
  received = 0;
  /** Nothing reaches it. */
  isCut = false;
  heardFrom = 0;

  constructor(name: string, delayMs: number, skewMs: number) {
    this.name = name;
    this.delayMs = delayMs;
    this.skewMs = skewMs;
  }
}

/** What statements are, by their texts: the same in every simulation. */
/** What a commit is known by is in its text. */
const LITERALS = /VALUES \('([0-9a-f-]+)', (\d+)\)/;
const COMPILED = new Map<string, readonly Compiled[]>();
const SHAPES = readSchema();

/**
 * A database in memory, with a primary and two standbys, of which one has to have a commit before it is answered.
 *
 * 1. A commit is seen, and what it locked is free, when a standby has it: not when it is written.
 * 2. A wait that is ended before that leaves the commit to be seen, with a warning or a lost connection.
 * 3. After a failover there is what the new primary had, and nothing else: all that was answered without a warning, and maybe
 *    more.
 */
export class Database implements Primary {
  readonly world: World;
  readonly hosts: readonly Host[];
  readonly watcher: DatabaseWatcher;
  /** The connections to the primary. */
  readonly backends = new Set<Backend>();
  tables: ReadonlyMap<string, Table> = newTables();
  /** Changes a statement before it is read. */
  readonly #mutate: (sql: string) => string;
  readonly #isSynchronous: boolean;
  #written: Written[] = [];
  #safe = 0;
  readonly #waiting = new Set<WaitingCommit>();
  #lastPid = 100;

  constructor(
    world: World,
    watcher: DatabaseWatcher,
    mutate: (sql: string) => string = (sql) => sql,
    isSynchronous = true,
  ) {
    this.world = world;
    this.watcher = watcher;
    this.#mutate = mutate;
    this.#isSynchronous = isSynchronous;
    this.hosts = ["db-1", "db-2", "db-3"].map(
      (name) => new Host(name, world.between(1, 5), world.between(-300, 300)),
    );
    this.hosts[0]!.role = "primary";
    const first = { table: "newest_change", id: 1, row: { cursor: 1 } };
    this.#written.push({ time: 0, changes: [first] });
    this.#restore();
  }

  get primary(): Host | undefined {
    return this.hosts.find(({ role }) => role === "primary");
  }

  /** The time by the primary's clock, in milliseconds since 1970. */
  get clock(): number {
    return 1_800_000_000_000 + this.world.now + (this.primary?.skewMs ?? 0);
  }

  /** How many commits a standby has for certain. */
  get quorum(): number {
    return Math.max(0, ...this.hosts.map((host) => this.#receivedBy(host)));
  }

  /** How many commits are on a standby, or were when it was made the primary. */
  get safe(): number {
    this.#safe = Math.max(this.#safe, this.quorum);
    return this.#safe;
  }

  /** How many commits are written. */
  get position(): number {
    return this.#written.length;
  }

  /** The statements of a text, and their values where it has them itself. */
  compile(sql: string): { statements: readonly Compiled[]; literals: unknown[] | undefined } {
    const found = LITERALS.exec(sql);
    const literals = found === null ? undefined : [found[1], Number(found[2])];
    const text = literals === undefined ? sql : sql.replace(LITERALS, () => "VALUES ($1, $2)");
    return { statements: this.#compileText(this.#mutate(text)), literals };
  }

  #compileText(text: string): readonly Compiled[] {
    const known = COMPILED.get(text);
    if (known !== undefined) return known;
    const catalog = {
      shape: (name: string) => SHAPES.get(name),
      relations: new Map([["pg_stat_activity", ["pid", "application_name"]]]),
    };
    const compiled = parseStatements(text).map((statement): Compiled => {
      if ("name" in statement) return statement;
      return { is: "statement", run: compileStatement(statement, catalog) };
    });
    COMPILED.set(text, compiled);
    return compiled;
  }

  connect(application: string, owner: unknown): Backend {
    const backend = new Backend(this, ++this.#lastPid, application, owner);
    this.backends.add(backend);
    return backend;
  }

  /** Writes a commit. @param done - As `WaitingCommit.done`. */
  write(changes: readonly Change[], backend: Backend, done: (isWarned: boolean) => void): void {
    this.#written.push({ time: this.world.now, changes });
    if (!this.#isSynchronous) {
      done(false);
      return;
    }
    this.#waiting.add({ position: this.#written.length, backend, done });
    const delays = this.hosts.filter(({ role, isCut }) => role === "standby" && !isCut);
    if (delays.length === 0) return;
    this.world.after(
      2 * Math.min(...delays.map(({ delayMs }) => delayMs)),
      () => this.#answer(),
      false,
    );
  }

  /** Ends the waits of commits for a standby: `pg_cancel_backend`. */
  cancelWaits(): void {
    for (const waiting of [...this.#waiting]) this.#end(waiting, true); // 2.
  }

  /** The connection of a commit that waits is ended. Answers whether there was such. */
  endWait(backend: Backend): boolean {
    const waiting = [...this.#waiting].find((one) => one.backend === backend);
    if (waiting !== undefined) this.#end(waiting, true);
    return waiting !== undefined;
  }

  cut(host: Host): void {
    this.#receivedBy(host);
    host.isCut = true;
  }

  mend(host: Host): void {
    host.isCut = false;
    host.heardFrom = this.world.now;
    this.world.after(2 * host.delayMs, () => this.#answer(), false);
  }

  /** The primary is no more. What its connections are told of that is the network's to say. */
  fail(): void {
    for (const host of this.hosts) this.#receivedBy(host);
    const { primary } = this;
    if (primary !== undefined) primary.role = "down";
    this.#waiting.clear();
    for (const backend of [...this.backends]) backend.vanish();
    this.backends.clear();
  }

  /** Makes the standby that has most the primary. */
  promote(): void {
    const standbys = this.hosts.filter(({ role }) => role === "standby");
    const next = standbys.reduce((one, other) => (other.received > one.received ? other : one));
    next.role = "primary";
    next.isCut = false;
    this.#written = this.#written.slice(0, next.received); // 3.
    this.#safe = next.received;
    for (const host of standbys) host.received = Math.min(host.received, next.received);
    for (const host of standbys) host.heardFrom = this.world.now;
    this.#restore();
    this.watcher.promoted();
  }

  /** A host that was down follows the primary. */
  rejoin(host: Host): void {
    host.role = "standby";
    host.received = 0;
    this.mend(host);
  }

  #receivedBy(host: Host): number {
    if (host.role !== "standby") return 0;
    if (host.isCut) return host.received;
    for (;;) {
      const next = this.#written[host.received];
      if (next === undefined) break;
      if (Math.max(next.time, host.heardFrom) + host.delayMs > this.world.now) break;
      host.received++;
    }
    return host.received;
  }

  #answer(): void {
    const { quorum } = this;
    for (const waiting of [...this.#waiting]) {
      if (waiting.position <= quorum) this.#end(waiting, false); // 1.
    }
  }

  #end(waiting: WaitingCommit, isWarned: boolean): void {
    if (this.#waiting.delete(waiting)) waiting.done(isWarned);
  }

  #restore(): void {
    this.tables = newTables();
    for (const { changes } of this.#written) {
      for (const { table, id, row } of changes) this.tables.get(table)!.restore(id, row);
    }
  }
}

function newTables(): ReadonlyMap<string, Table> {
  return new Map([...SHAPES].map(([name, shape]) => [name, new Table(shape)]));
}
