import { setTimeout as delay } from "node:timers/promises";
import { Refusal } from "../errors.ts";
import type { Log } from "../log.ts";
import type { UntoldNotification } from "../store/outbox.ts";
import type { Store } from "../store/store.ts";
import { ownView } from "../store/views.ts";
import { byDeadline } from "../stream/deadline.ts";
import { decodeEvent } from "../turns/encoded-event.ts";
import { type MessageOptions, messageBody, messageId } from "./message.ts";
import { type RetryTimes, retryDelay } from "./retry-times.ts";
import { type Attempt, LANES, type WebhookEndpoint } from "./webhook-endpoint.ts";
import type { WebhookSecrets } from "./webhook-secrets.ts";

export interface NotifierOptions {
  readonly store: Store;
  readonly endpoint: WebhookEndpoint;
  readonly secrets: () => WebhookSecrets;
  readonly messages: MessageOptions;
  /** How long it is tried to tell what happened. */
  readonly keepMs: number;
  readonly times: RetryTimes;
  readonly log: Log;
}

/** So many are read at a time. */
const PAGE = 32;
/** How often it is looked for what is too old. */
const LOOK_MS = { least: 60_000, most: 3_600_000 };
/** When a store that gave no answer is asked again. */
const STORE_MS = 5000;
/** So many at most are given up in one commit. */
const GIVEN_UP_AT_ONCE = 500;

/**
 * Tells a receiver what happens in turns, from the store's outbox.
 *
 * 1. Each notification is sent at least once, under the same id each time, or given up with a line in the log.
 * 2. No turn waits for it, and it holds a page of the outbox and as many messages as there are lanes, however many wait.
 * 3. While nothing gets through, one message is tried at a time. One that is refused holds none of the others up.
 * 4. The order is that in which they happened, as long as nothing fails. It is not promised.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #stop = new AbortController();
  /** Aborts when no more than what is due now is to be told. */
  readonly #draining = new AbortController();
  #wake = new AbortController();
  #ran: Promise<void> = Promise.resolve();
  /** How many failed one after the other, of whichever messages. */
  #failures = 0;
  #failingSince = 0;
  #isGone = false;
  /** When it was looked last for what is too old. */
  #lookedTime = Number.NEGATIVE_INFINITY;

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  /** Begins with what a server before left. To be called once. */
  start(): void {
    this.#ran = this.#run();
  }

  /** There is something new to tell. */
  wake(): void {
    this.#wake.abort();
  }

  /** A receiver that wanted nothing more is asked again: the operator has looked at it. */
  reload(): void {
    this.#isGone = false;
    this.wake();
  }

  /** Tells what is due, within a time at most, and ends. What is not told then is left to the next start. Never rejects. */
  async drain(ms: number): Promise<void> {
    this.#draining.abort();
    await byDeadline(this.#ran, ms, undefined);
    this.#stop.abort();
    await this.#ran;
  }

  async #run(): Promise<void> {
    const clock = steadyClock();
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController();
      let waitMs: number;
      try {
        waitMs = await this.#tellSome(clock());
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#options.log.error("what is to be told cannot be read from the store", { error });
        waitMs = STORE_MS;
      }
      if (waitMs === 0) continue;
      if (this.#draining.signal.aborted) return;
      // While nothing gets through, what is new waits as the others do.
      const wakes = this.#failures > 0 ? [] : [this.#wake.signal];
      await sleep(waitMs, [this.#draining.signal, ...wakes]);
    }
  }

  /** Tells a page of what is due. Answers how long to wait before the next one. */
  async #tellSome(now: number): Promise<number> {
    const { store, times } = this.#options;
    const { owner } = store.lease;
    if (now - this.#lookedTime >= LOOK_MS.least) await this.#giveUp(now);
    if (this.#isGone) return LOOK_MS.most;
    // No wait is longer than what a receiver can ask for: the clock was set back.
    const latest = Date.now() + 2 * times.askedMs;
    const { items, nextTime } = await store.listUntold(owner, Date.now(), latest, PAGE);
    if (items.length === 0) {
      const dueMs = (nextTime ?? Number.POSITIVE_INFINITY) - Date.now();
      return Math.min(Math.max(dueMs, 1), LOOK_MS.most);
    }
    return this.#tellAll(items);
  }

  async #tellAll(items: readonly UntoldNotification[]): Promise<number> {
    const waiting = this.#failures > 0 ? items.slice(0, 1) : [...items]; // 3.
    let waitMs = 0;
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        waitMs = Math.max(waitMs, await this.#tell(next));
        if (waitMs > 0 || this.#stop.signal.aborted) return;
      }
    };
    const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane)); // 2.
    const failed = lanes.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
    return waitMs;
  }

  /** Tells one. Answers how long to wait before anything else is told. */
  async #tell(notification: UntoldNotification): Promise<number> {
    const { store, endpoint, secrets, log } = this.#options;
    const body = await this.#bodyOf(notification);
    if (body === undefined) {
      const { turnId, kind } = notification;
      log.info("nothing is told of a turn that is no longer on record", { turnId, kind });
      await store.recordTold(notification.key);
      return 0;
    }
    const headers = secrets().sign(messageId(notification), body, new Date());
    const attempt = await endpoint.post(body, headers, this.#stop.signal);
    if (this.#stop.signal.aborted && attempt.is !== "taken") return 1;
    if (attempt.is === "failed") return this.#failed(notification, attempt);
    if (attempt.is === "gone") return this.#gone();
    await store.recordTold(notification.key); // 1.
    this.#worked();
    return 0;
  }

  async #bodyOf(notification: UntoldNotification): Promise<string | undefined> {
    const { store, messages } = this.#options;
    const { turnId, sequence, principal } = notification;
    if (principal === undefined) return undefined;
    try {
      // Whoever runs it may see it no more: it is told of to the operator of the server.
      const turn = await store.getTurn(turnId, { ...ownView(principal), seesAll: true });
      const [event] = await store.readEvents(turnId, sequence - 1, 1);
      return event && messageBody(notification, turn, decodeEvent(event), messages);
    } catch (error) {
      // It was deleted meanwhile, or damaged: to try again is of no use.
      if (error instanceof Refusal && error.reason !== "STORAGE") return undefined;
      throw error;
    }
  }

  async #failed(
    { key, attempts }: UntoldNotification,
    { why, retryAfterMs = 0 }: Extract<Attempt, { is: "failed" }>,
  ): Promise<number> {
    const { store, times, endpoint, log } = this.#options;
    this.#failures++;
    if (this.#failures === 1) {
      this.#failingSince = performance.now();
      log.warn("a notification was not taken: it is tried again", { to: endpoint.shown, why });
    }
    const dueMs = retryDelay(attempts + 1, times.mostMs, times, retryAfterMs);
    await store.recordUntold(key, Math.ceil(Date.now() + dueMs));
    return retryDelay(this.#failures, times.pauseMs, times, retryAfterMs);
  }

  #worked(): void {
    if (this.#failures === 0) return;
    const failedForMs = Math.round(performance.now() - this.#failingSince);
    this.#failures = 0;
    const { endpoint, log } = this.#options;
    log.info("notifications are taken again", { to: endpoint.shown, failedForMs });
  }

  /** Standard Webhooks: a receiver that answers 410 is to be sent nothing more. */
  #gone(): number {
    if (!this.#isGone) {
      const { endpoint, log } = this.#options;
      const mend =
        "set BREAKGLASS_NOTIFY_URL anew, or send SIGHUP where the receiver is there again";
      log.error("the receiver wants no more notifications (410)", { to: endpoint.shown, mend });
    }
    this.#isGone = true;
    return 1;
  }

  async #giveUp(now: number): Promise<void> {
    const { store, keepMs, log } = this.#options;
    this.#lookedTime = now;
    let count = 0;
    for (;;) {
      const { owner } = store.lease;
      const given = await store.giveUpUntold(owner, now - keepMs, GIVEN_UP_AT_ONCE);
      count += given;
      if (given < GIVEN_UP_AT_ONCE) break;
    }
    if (count > 0) log.error("notifications were given up: they are too old", { count });
  }
}

/** Tells the time, and never one that is further on than what has passed since now allows: see `retain`. */
function steadyClock(): () => number {
  const begun = Date.now() - performance.now();
  return () => Math.min(Date.now(), begun + performance.now());
}

async function sleep(ms: number, ends: AbortSignal[]): Promise<void> {
  await delay(ms, undefined, { signal: AbortSignal.any(ends), ref: false }).catch(() => {});
}
