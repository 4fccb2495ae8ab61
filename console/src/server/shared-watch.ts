import {
  type BreakglassClient,
  type ConnectionChange,
  type WatchTurnsResponse,
  watchTurns,
} from "@breakglass/client";
import { Arrivals } from "./arrivals.ts";
import { hasLocks } from "./locks.ts";
import { caughtUpAt, decoded, encoded, WatchState } from "./watch-state.ts";
import { received, type SentChange, sent, type WatchMessage } from "./window-messages.ts";

/** The page watches for as long as it is open. */
const NEVER_GIVE_UP = {
  giveUpMs: Number.POSITIVE_INFINITY,
  firstGiveUpMs: Number.POSITIVE_INFINITY,
};
/** A window that leads and says nothing for so long is frozen: the server itself is never silent for longer than 15 s. */
const SILENCE_MS = 50_000;
const LOOK_MS = 5000;
const KEEP_MS = 2000;

/** How a watch is shared, and read. */
export interface SharedWatchOptions {
  /** Those see the same: windows of the same name share a watch. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly onConnection: (change: ConnectionChange) => void;
  /** Keeps what was told, in the window that leads, a while after each change. */
  readonly keep?: (messages: readonly WatchTurnsResponse[]) => void;
}

/**
 * Watches all turns as `watchTurns` does from 0 on, over one stream for all windows of the browser: over HTTP/1.1 it has six connections to a
 * server. A window that opens later is told first what is so by then.
 *
 * Where windows have no locks (`hasLocks`) each has a stream of its own.
 *
 * @throws as `watchTurns`, in the window that leads; the others take over and hear it themselves.
 */
export async function* sharedWatch(
  client: BreakglassClient,
  options: SharedWatchOptions,
): AsyncGenerator<WatchTurnsResponse, void, undefined> {
  if (!(await hasLocks())) {
    yield* watchTurns(client, {}, { ...options, backOff: NEVER_GIVE_UP });
    return;
  }
  using watch = new SharedWatch(client, options);
  yield* watch.messages();
}

/**
 * One window's part in a watch.
 *
 * 1. Who holds the lock leads: it has the stream, and tells the others what comes, in its order.
 * 2. Every window knows what was told (`WatchState`), and so can lead from there: nothing is told twice, and nothing left out.
 * 3. A window takes news only once it knows what there was before.
 * 4. One that is put to sleep gives the lock away; from one that says nothing any more it is taken.
 */
class SharedWatch implements Disposable {
  readonly #client: BreakglassClient;
  readonly #options: SharedWatchOptions;
  readonly #id = crypto.randomUUID();
  readonly #state = new WatchState();
  readonly #arrivals = new Arrivals<WatchTurnsResponse>();
  readonly #channel: BroadcastChannel;
  readonly #over = new AbortController();
  /** Ends the leading. Undefined: another window leads. */
  #leading: AbortController | undefined;
  /** The one request for the lock. */
  #request: AbortController | undefined;
  #keepTimer: ReturnType<typeof setTimeout> | undefined;
  #isInformed = false;
  #connection: SentChange = { state: "back" };
  #heardTime = performance.now();

  constructor(client: BreakglassClient, options: SharedWatchOptions) {
    this.#client = client;
    this.#options = options;
    const { signal } = this.#over;
    this.#channel = new BroadcastChannel(options.name);
    this.#channel.addEventListener("message", ({ data }) => this.#hear(data as WatchMessage));
    options.signal.addEventListener("abort", () => this.#end(options.signal.reason), { signal });
    const look = setInterval(() => this.#look(), LOOK_MS);
    signal.addEventListener("abort", () => clearInterval(look));
    for (const event of ["freeze", "pagehide"])
      globalThis.addEventListener(event, () => this.#giveAway(), { signal, capture: true }); // 4.
    for (const event of ["resume", "pageshow"])
      globalThis.addEventListener(event, () => this.#join(), { signal, capture: true });
    this.#join();
  }

  messages(): AsyncGenerator<WatchTurnsResponse, never, undefined> {
    return this.#arrivals.items();
  }

  [Symbol.dispose](): void {
    this.#end(undefined);
  }

  /** Asks to be told, and to lead when nobody does any more. */
  #join(): void {
    if (this.#over.signal.aborted || this.#leading !== undefined) return;
    this.#tell({ kind: "hello", from: this.#id, cursor: this.#state.cursor });
    void this.#stand();
  }

  /** Leads from when it gets the lock until it loses it. @param steal - Takes it from who has it. */
  async #stand(steal = false): Promise<void> {
    this.#request?.abort();
    const request = new AbortController();
    this.#request = request;
    const signal = AbortSignal.any([request.signal, this.#over.signal]);
    try {
      // A lock that is stolen cannot be waited for.
      const options = steal ? { steal } : { signal };
      await navigator.locks.request(this.#options.name, options, () => this.#lead());
    } catch {
      if (signal.aborted) return;
      // Another window has taken it.
      this.#leading?.abort();
      this.#leading = undefined;
      this.#heardTime = performance.now();
      void this.#stand();
    }
  }

  /** Leads until it is to no longer: a page that is being frozen has no time for more than to say so, and the lock is free at once. */
  #lead(): Promise<void> {
    const leading = new AbortController();
    this.#leading = leading;
    const over = new Promise<void>((resolve) => {
      leading.signal.addEventListener("abort", () => resolve());
    });
    return Promise.race([this.#stream(leading), over]);
  }

  #giveAway(): void {
    this.#leading?.abort();
    this.#leading = undefined;
  }

  async #stream(leading: AbortController): Promise<void> {
    this.#isInformed = true;
    this.#tell({ kind: "leading", cursor: this.#state.cursor });
    const signal = AbortSignal.any([leading.signal, this.#over.signal]);
    const onConnection = (change: ConnectionChange) => {
      this.#connection = sent(change);
      this.#options.onConnection(change);
      this.#tell({ kind: "connection", change: this.#connection });
    };
    const options = { signal, onConnection, backOff: NEVER_GIVE_UP };
    try {
      const asked = { afterCursor: this.#state.cursor };
      for await (const message of watchTurns(this.#client, asked, options)) {
        // As the window said that led before.
        if (this.#connection.state === "lost") onConnection({ state: "back" });
        if (this.#state.take(message)) this.#arrivals.push(message);
        if (message.change.case !== undefined || message.caughtUp) this.#keepSoon();
        this.#tell({ kind: "news", message: encoded(message) });
      }
    } catch (error) {
      if (!signal.aborted) this.#end(error);
    } finally {
      if (this.#leading === leading) this.#leading = undefined;
    }
  }

  #hear(message: WatchMessage): void {
    if (message.kind === "hello") {
      if (this.#leading !== undefined) this.#inform(message.from, message.cursor);
      return;
    }
    this.#heardTime = performance.now();
    if (this.#leading !== undefined) return;
    if (message.kind === "leading") this.#heedLeader(message.cursor);
    else if (message.kind === "connection") this.#heedConnection(message.change);
    else if (message.kind === "news") this.#heedNews(decoded(message.message));
    else if (message.to === this.#id) this.#heedState(message);
  }

  #heedLeader(cursor: bigint): void {
    if (this.#isInformed && cursor <= this.#state.cursor) return;
    this.#isInformed = false; // 3.
    this.#tell({ kind: "hello", from: this.#id, cursor: this.#state.cursor });
  }

  #heedNews(message: WatchTurnsResponse): void {
    if (this.#isInformed && this.#state.take(message)) this.#arrivals.push(message);
  }

  #heedState(told: Extract<WatchMessage, { kind: "state" }>): void {
    if (this.#isInformed && told.cursor <= this.#state.cursor) return;
    this.#isInformed = true;
    const wasCaughtUp = this.#state.isCaughtUp;
    for (const message of told.messages.map(decoded)) {
      this.#state.keep(message);
      this.#arrivals.push(message);
    }
    if (told.cursor > this.#state.cursor) this.#state.cursor = told.cursor;
    this.#heedConnection(told.connection);
    if (!told.isCaughtUp || wasCaughtUp) return;
    this.#state.isCaughtUp = true;
    this.#arrivals.push(caughtUpAt(told.cursor));
  }

  #heedConnection(change: SentChange): void {
    if (change.state === "back" && this.#connection.state === "back") return;
    this.#connection = change;
    this.#options.onConnection(received(change));
  }

  /** Tells a window what has come after a cursor, as far as it is still so. */
  #inform(to: string, after: bigint): void {
    const { cursor, isCaughtUp } = this.#state;
    const news = this.#state.messages().filter((message) => message.cursor > after);
    const messages = news.map((message) => encoded({ ...message, caughtUp: false }));
    const connection = this.#connection;
    this.#tell({ kind: "state", to, messages, cursor, isCaughtUp, connection });
  }

  /** Takes the lead from a window that is frozen. One that nobody sees has its own timers slowed, and takes nothing. */
  #look(): void {
    const isSilent = performance.now() - this.#heardTime > SILENCE_MS;
    if (this.#leading !== undefined || !isSilent || document.visibilityState === "hidden") return;
    this.#heardTime = performance.now();
    void this.#stand(true); // 4.
  }

  #keepSoon(): void {
    this.#keepTimer ??= setTimeout(() => {
      this.#keepTimer = undefined;
      if (!this.#over.signal.aborted) this.#options.keep?.(this.#state.messages());
    }, KEEP_MS);
  }

  #tell(message: WatchMessage): void {
    if (!this.#over.signal.aborted) this.#channel.postMessage(message);
  }

  #end(error: unknown): void {
    this.#over.abort();
    this.#channel.close();
    this.#arrivals.fail(error);
  }
}
