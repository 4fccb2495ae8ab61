import type { World } from "./world.ts";

/** What a connection hears of its way. */
export interface Connected {
  /** What is on its way is lost, and nothing more comes: both sides hear of it, where they are heard at all. */
  reset(): void;
}

/** What is sent over a connection that is held up. */
interface Held {
  readonly connection: Connected;
  deliver(): void;
}

/**
 * The way from one replica to the database.
 *
 * 1. What is sent over a connection comes in its order, or not at all.
 * 2. A way that is silent holds what is sent: it comes when the way is there again, or the connection is lost.
 */
export class Way {
  readonly #world: World;
  readonly #connections = new Set<Connected>();
  readonly #latest = new Map<Connected, { to: number; from: number }>();
  #held: Held[] = [];
  #state: "open" | "silent" | "refused" = "open";

  constructor(world: World) {
    this.#world = world;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Whether who connects is refused at once. */
  get isRefused(): boolean {
    return this.#state === "refused";
  }

  add(connection: Connected): void {
    this.#connections.add(connection);
    this.#latest.set(connection, { to: 0, from: 0 });
  }

  remove(connection: Connected): void {
    this.#connections.delete(connection);
    this.#latest.delete(connection);
  }

  /** Has something come to the other side. */
  send(connection: Connected, direction: "to" | "from", deliver: () => void): void {
    const latest = this.#latest.get(connection);
    if (latest === undefined) return;
    const now = this.#world.now;
    const time = Math.max(latest[direction], now + this.#latency());
    latest[direction] = time;
    const isFollowed = direction === "from";
    this.#world.after(time - now, () => this.#come(connection, deliver), isFollowed); // 1.
  }

  /** Nothing comes, and nobody hears of it. */
  silence(): void {
    this.#state = "silent";
  }

  /** All connections are lost, and none comes about. */
  refuse(): void {
    this.#state = "refused";
    this.#resetAll();
  }

  /** All connections are lost; others can come about. */
  lose(): void {
    this.#resetAll();
  }

  /** Nothing comes any more over the connections that there are, and who asked is not there to hear of it. */
  abandon(): void {
    this.#connections.clear();
    this.#latest.clear();
    this.#held = [];
    this.#state = "open";
  }

  /** The way is there again. @param isLost - Connections that were held up are lost. */
  mend(isLost: boolean): void {
    const wasSilent = this.#state === "silent";
    this.#state = "open";
    const held = this.#held;
    this.#held = [];
    if (wasSilent && isLost) this.#resetAll();
    else for (const { connection, deliver } of held) this.#come(connection, deliver); // 2.
  }

  #come(connection: Connected, deliver: () => void): void {
    if (!this.#connections.has(connection)) return;
    if (this.#state === "silent") this.#held.push({ connection, deliver });
    else deliver();
  }

  #resetAll(): void {
    for (const connection of [...this.#connections]) connection.reset();
  }

  #latency(): number {
    return this.#world.chance(20) ? this.#world.between(20, 400) : this.#world.between(1, 3);
  }
}
