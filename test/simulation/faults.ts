import type { Database } from "./database/database.ts";
import type { Replica } from "./replica.ts";
import { TERMS } from "./terms.ts";
import type { World } from "./world.ts";

/** What goes wrong in a simulation. */
export class Faults {
  readonly #world: World;
  readonly #database: Database;
  readonly #replicas: readonly Replica[];
  #isOver = false;
  /** The primary is lost, and no other is made yet. */
  #isFailing = false;

  constructor(world: World, database: Database, replicas: readonly Replica[]) {
    this.#world = world;
    this.#database = database;
    this.#replicas = replicas;
  }

  /** Has things go wrong for some time. */
  plan(ms: number): void {
    const world = this.#world;
    const faults = [
      ...[
        () => this.#freeze(),
        () => this.#freezeForLease(),
        () => this.#kill(),
        () => this.#drain(),
      ],
      ...[() => this.#part(), () => this.#part(), () => this.#loseDatabase()],
      ...[() => this.#cutStandbys(), () => this.#cancelWaits(), () => this.#endConnections()],
      ...[() => this.#failOver(), () => this.#failOver(), () => this.#lose()],
    ];
    const count = world.between(3, 14);
    for (let fault = 0; fault < count; fault++) {
      const happen = world.random.oneOf(faults);
      world.after(world.between(3000, ms), () => {
        if (!this.#isOver) happen();
      });
    }
  }

  /** Nothing goes wrong any more, and all that was stopped goes on. */
  mendAll(): void {
    this.#isOver = true;
    this.#world.tell("all is mended");
    for (const host of this.#database.hosts) {
      if (host.role === "standby") this.#database.mend(host);
    }
    for (const replica of this.#replicas) {
      replica.process?.wake();
      replica.way.mend(this.#world.chance(500));
      replica.start();
    }
  }

  #any(): Replica {
    return this.#world.random.oneOf(this.#replicas);
  }

  /** Short, about as long as something is waited for, or long. */
  #duration(): number {
    const [least, most] = this.#world.random.oneOf([
      [100, 5000],
      [5000, 30_000],
      [28_000, 47_000],
      [45_000, 100_000],
    ] as const);
    return this.#world.between(least, most);
  }

  /** Some go on at about the moment at which others take them for gone. */
  #freezeForLease(): void {
    for (const _ of Array.from({ length: this.#world.between(3, 8) })) {
      this.#freeze(this.#world.between(TERMS.leaseMs - TERMS.renewMs, TERMS.leaseMs + 1500));
    }
  }

  #freeze(ms = this.#duration()): void {
    const { name, process } = this.#any();
    this.#world.tell(`${name} is stopped for ${ms} ms`);
    process?.freeze();
    this.#world.after(ms, () => {
      this.#world.tell(`${name} goes on`);
      process?.wake();
    });
  }

  #kill(): void {
    const replica = this.#any();
    const isSilent = this.#world.chance(300);
    this.#world.tell(`${replica.name} is killed${isSilent ? ", with its machine" : ""}`);
    replica.kill(isSilent);
    this.#world.after(this.#duration(), () => replica.start());
  }

  /** One machine, and not a second: somebody has to be left. */
  #lose(): void {
    if (this.#replicas.some(({ isLost }) => isLost)) return;
    const replica = this.#any();
    this.#world.tell(`${replica.name} is lost for good`);
    replica.lose();
  }

  #drain(): void {
    this.#any().drain(this.#world.between(0, 10_000));
  }

  #part(): void {
    const replica = this.#any();
    this.#partOne(replica, this.#duration());
  }

  #partOne(replica: Replica, ms: number): void {
    const isSilent = this.#world.chance(700);
    this.#world.tell(
      `${replica.name} does not reach the database for ${ms} ms${isSilent ? ", and does not hear of it" : ""}`,
    );
    if (isSilent) replica.way.silence();
    else replica.way.refuse();
    this.#world.after(ms, () => {
      const isLost = this.#world.chance(500);
      this.#world.tell(
        `${replica.name} reaches the database again${isLost ? ", what was sent is lost" : ""}`,
      );
      replica.way.mend(isLost);
    });
  }

  #loseDatabase(): void {
    const ms = this.#world.random.oneOf([15_000, 60_000, this.#duration()]);
    for (const replica of this.#replicas) this.#partOne(replica, ms);
  }

  #cutStandbys(): void {
    const all = this.#world.chance(400);
    const standbys = this.#database.hosts.filter(({ role }) => role === "standby");
    const cut = all ? standbys : standbys.slice(0, 1);
    const ms = this.#world.between(500, 25_000);
    for (const host of cut) {
      this.#world.tell(`${host.name} does not hear from the primary for ${ms} ms`);
      this.#database.cut(host);
      this.#world.after(ms, () => this.#database.mend(host));
    }
  }

  #cancelWaits(): void {
    // It tells only where something waits.
    this.#cutStandbys();
    for (let times = 1; times <= 4; times++) {
      this.#world.after(times * this.#world.between(50, 1500), () => {
        this.#world.tell("waits for a standby are canceled");
        this.#database.cancelWaits();
      });
    }
  }

  #endConnections(): void {
    for (let times = 0; times < 10; times++) {
      this.#world.after(this.#world.between(0, 8000), () => {
        const backends = [...this.#database.backends];
        if (backends.length === 0) return;
        this.#world.tell("a connection to the database is ended");
        this.#world.random.oneOf(backends).terminate();
      });
    }
  }

  #failOver(): void {
    const world = this.#world;
    const { primary } = this.#database;
    if (this.#isFailing || primary === undefined) return;
    if (this.#database.hosts.some(({ role }) => role === "down")) return;
    const isSilent = world.chance(500);
    world.tell(`${primary.name}, the primary, is lost${isSilent ? " and nobody hears of it" : ""}`);
    this.#isFailing = true;
    this.#database.fail();
    if (!isSilent) for (const { way } of this.#replicas) way.lose();
    world.after(world.between(1000, 20_000), () => {
      this.#isFailing = false;
      this.#database.promote();
      world.after(world.between(1000, 20_000), () => this.#database.rejoin(primary));
    });
  }
}
