import type { ServeConfig } from "../config/serve-config.ts";
import type { Fault, PlannedFault } from "./faults.ts";
import type { ServerOrder } from "./server-messages.ts";
import { type ServerListener, ServerThread } from "./server-thread.ts";

/**
 * The server of a fake, which goes and comes back on one store and one port.
 *
 * 1. What changes whether it is there is done one after the other.
 * 2. Once it has a port it keeps that, also where any free one was asked for.
 * 3. It comes back with the faults that are planned, and what is left of their times.
 */
export class FakeServer {
  #config: ServeConfig;
  #faults: readonly PlannedFault[] = [];
  #nextFaultId = 1;
  readonly #listener: Pick<ServerListener, "log" | "streamBegan">;
  readonly #defect = Promise.withResolvers<Error>();
  #thread: ServerThread | undefined;
  #url = "";
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    config: ServeConfig,
    faults: readonly Fault[],
    listener: Pick<ServerListener, "log" | "streamBegan">,
  ) {
    this.#config = config;
    this.#note(faults);
    this.#listener = listener;
  }

  get url(): string {
    return this.#url;
  }

  get port(): number {
    const { listen } = this.#config;
    return "path" in listen ? 0 : listen.port;
  }

  get defect(): Promise<Error> {
    return this.#defect.promise;
  }

  /** Has the server do something; nothing, and 0, where it is down. */
  async ask(order: ServerOrder): Promise<number> {
    return (await this.#thread?.ask(order)) ?? 0;
  }

  async plan(faults: readonly Fault[]): Promise<void> {
    await this.ask({ do: "plan", faults: this.#note(faults) });
  }

  /** It could not come back. */
  fail(error: unknown): void {
    this.#defect.resolve(error instanceof Error ? error : new Error(String(error)));
  }

  #note(faults: readonly Fault[]): readonly PlannedFault[] {
    const planned = faults.map((fault) => {
      const left = "times" in fault ? fault.times : Infinity;
      return { id: this.#nextFaultId++, fault, left };
    });
    this.#faults = [...this.#faults, ...planned];
    return planned;
  }

  // 3.
  #happened(id: number): void {
    const planned = this.#faults.find((it) => it.id === id);
    if (planned !== undefined) planned.left--;
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
      {
        ...this.#listener,
        happened: (id) => this.#happened(id),
        failed: (error) => this.fail(error),
      },
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
