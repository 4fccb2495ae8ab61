import type { ServeConfig } from "../config/serve-config.ts";
import type { Fault } from "./faults.ts";
import type { ServerOrder } from "./server-messages.ts";
import { type ServerListener, ServerThread } from "./server-thread.ts";

/**
 * The server of a fake, which goes and comes back on one store and one port.
 *
 * 1. What changes whether it is there is done one after the other.
 * 2. Once it has a port it keeps that, also where any free one was asked for.
 * 3. It comes back with the faults that are planned, counted anew: those that are over are no more.
 */
export class FakeServer {
  #config: ServeConfig;
  #faults: readonly Fault[];
  readonly #listener: Omit<ServerListener, "failed">;
  readonly #defect = Promise.withResolvers<Error>();
  #thread: ServerThread | undefined;
  #url = "";
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    config: ServeConfig,
    faults: readonly Fault[],
    listener: Omit<ServerListener, "failed">,
  ) {
    this.#config = config;
    this.#faults = faults;
    this.#listener = listener;
  }

  get url(): string {
    return this.#url;
  }

  get port(): number {
    return this.#config.listen.port;
  }

  get defect(): Promise<Error> {
    return this.#defect.promise;
  }

  /** Has the server do something; nothing, and 0, where it is down. */
  async ask(order: ServerOrder): Promise<number> {
    return (await this.#thread?.ask(order)) ?? 0;
  }

  async plan(faults: readonly Fault[]): Promise<void> {
    this.#faults = [...this.#faults, ...faults];
    await this.ask({ do: "plan", faults });
  }

  async clear(): Promise<void> {
    this.#faults = [];
    await this.ask({ do: "clear" });
  }

  start(): Promise<void> {
    return this.#inTurn(() => this.#start());
  }

  kill(): Promise<void> {
    return this.#inTurn(() => this.#end((thread) => thread.kill()));
  }

  stop(graceMs?: number): Promise<void> {
    return this.#inTurn(() => this.#end((thread) => thread.drain(graceMs)));
  }

  restart(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end((thread) => thread.kill());
      await this.#start();
    });
  }

  drainAndStart(graceMs?: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end((thread) => thread.drain(graceMs));
      await this.#start();
    });
  }

  async #start(): Promise<void> {
    if (this.#thread !== undefined) return;
    const thread = await ServerThread.start(
      { config: this.#config, faults: this.#faults },
      { ...this.#listener, failed: (error) => this.#defect.resolve(error) },
    );
    this.#thread = thread;
    this.#url = thread.url;
    const port = Number(new URL(thread.url).port);
    this.#config = { ...this.#config, listen: { ...this.#config.listen, port } }; // 2.
  }

  async #end(how: (thread: ServerThread) => Promise<void>): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    try {
      await how(thread);
    } finally {
      this.#thread = undefined;
    }
  }

  // 1.
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work, work);
    this.#last = done.catch(() => {});
    return done;
  }
}
