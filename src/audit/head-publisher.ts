import type { KeyObject } from "node:crypto";
import { fetchFailure } from "../fetch-failure.ts";
import type { Log } from "../log.ts";
import { byDeadline } from "../stream/deadline.ts";
import { headLine, signHead } from "./head.ts";
import type { HeadDestination } from "./head-destinations.ts";
import type { AuditLink } from "./record.ts";

/** What one try at one destination may take. */
const SEND_MS = 5000;
const AGAIN_MS = { first: 1000, longest: 60_000 };
/** What the end of a server waits for its last head. */
const LAST_MS = 3000;

/** How it stands with what one destination is to take. */
export interface HeadDelivery {
  readonly kind: HeadDestination["kind"];
  readonly name: string;
  /** How old the newest head is that it has taken, in milliseconds. Undefined: it has taken none from this server. */
  readonly ageMs: number | undefined;
  /** For how long it has lacked the newest. 0: it has it. */
  readonly lackingMs: number;
  /** How often a head could not be signed for it or was not taken. */
  readonly failures: number;
  /** Why the last try failed. Undefined: it did not. */
  readonly why: string | undefined;
}

interface Publishing {
  /** Where the chain stands. Undefined: nowhere yet. */
  readonly head: () => Promise<AuditLink | undefined>;
  /** The key, asked for each time. @throws Error where there is none now. */
  readonly key: () => KeyObject;
  readonly destinations: readonly HeadDestination[];
  readonly everyMs: number;
  readonly log: Log;
}

/**
 * Signs where the chain stands, and hands that to those who keep it.
 *
 * 1. Only where there are new records since the last time, and when the server ends.
 * 2. Nothing waits for it. A destination that takes none is tried again, with the newest head alone: that vouches for all
 *    before it.
 */
export class HeadPublisher {
  readonly #given: Publishing;
  readonly #outlets: readonly Outlet[];
  #signed: AuditLink | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(given: Publishing) {
    this.#given = given;
    this.#outlets = given.destinations.map((destination) => new Outlet(destination, given.log));
  }

  /** How it stands with each destination. */
  deliveries(): HeadDelivery[] {
    return this.#outlets.map((outlet) => outlet.delivery);
  }

  /** Makes the key where there is none yet: its public part is to be kept elsewhere before the first head is. */
  start(): void {
    try {
      this.#given.key();
    } catch (error) {
      this.#given.log.error("the audit's heads cannot be signed", { error });
    }
    this.#timer = setInterval(() => void this.publish(), this.#given.everyMs).unref();
  }

  /** Gives out the head that there is now, if it is another than the last. Never rejects. */
  async publish(): Promise<void> {
    const { head, key, log } = this.#given;
    try {
      const now = await head();
      if (now === undefined || now.hash === this.#signed?.hash) return; // 1.
      const line = headLine(signHead(now, key()));
      this.#signed = now;
      for (const outlet of this.#outlets) outlet.give(line);
    } catch (error) {
      log.error("the audit's head cannot be signed", { error });
      for (const outlet of this.#outlets) outlet.lack(error);
    }
  }

  /** Gives out the last head, and waits for it, but not long. Never rejects. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.publish();
    const sent = Promise.all(this.#outlets.map((outlet) => outlet.sent));
    await byDeadline(sent, LAST_MS, undefined);
    for (const outlet of this.#outlets) outlet.stop();
  }
}

/** One destination, and the newest head that it has not taken. */
class Outlet {
  readonly #destination: HeadDestination;
  readonly #log: Log;
  readonly #closing = new AbortController();
  #newest: string | undefined;
  /** By `performance.now()`: when it took one last, and since when it lacks the newest. */
  #takenAt: number | undefined;
  #lacksSince: number | undefined;
  #failures = 0;
  #why: string | undefined;
  #sending: Promise<void> | undefined;

  constructor(destination: HeadDestination, log: Log) {
    this.#destination = destination;
    this.#log = log;
  }

  /** Resolves when it has taken what it was given. */
  get sent(): Promise<void> {
    return this.#sending ?? Promise.resolve();
  }

  get delivery(): HeadDelivery {
    const { kind, name } = this.#destination;
    const now = performance.now();
    return {
      ...{ kind, name, failures: this.#failures, why: this.#why },
      ageMs: this.#takenAt === undefined ? undefined : now - this.#takenAt,
      lackingMs: this.#lacksSince === undefined ? 0 : now - this.#lacksSince,
    };
  }

  /** There is to be a newer one, and there is none. */
  lack(error: unknown): void {
    this.#lacksSince ??= performance.now();
    this.#failures++;
    this.#why ??= fetchFailure(error);
  }

  give(line: string): void {
    this.#newest = line; // 2.
    this.#lacksSince ??= performance.now();
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  stop(): void {
    this.#closing.abort();
  }

  async #send(): Promise<void> {
    const { signal } = this.#closing;
    for (let wait = AGAIN_MS.first; this.#newest !== undefined && !signal.aborted; ) {
      const line = this.#newest;
      try {
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(SEND_MS)]);
        await this.#destination.send(line, bounded);
        this.#taken(line);
        wait = AGAIN_MS.first;
      } catch (error) {
        if (signal.aborted) return;
        this.#refused(error);
        await pause(wait, signal);
        wait = Math.min(2 * wait, AGAIN_MS.longest);
      }
    }
  }

  #taken(line: string): void {
    const { name: to } = this.#destination;
    this.#takenAt = performance.now();
    // A newer one may have come meanwhile: it lacks that from now on.
    this.#lacksSince = this.#newest === line ? undefined : this.#takenAt;
    if (this.#newest === line) this.#newest = undefined;
    if (this.#why !== undefined) this.#log.info("the audit's heads are taken again", { to });
    this.#why = undefined;
  }

  #refused(error: unknown): void {
    const { name: to } = this.#destination;
    const isFirst = this.#why === undefined;
    this.#failures++;
    this.#why = fetchFailure(error);
    if (isFirst) this.#log.error("the audit's heads are not taken", { to, why: this.#why });
  }
}

/** Waits, and holds up no process. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms).unref();
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(() => clearTimeout(timer));
}
