import { setTimeout as sleep } from "node:timers/promises";
import type { Action } from "./case.ts";
import { type JsonObject, kindOf } from "./case-messages.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import type { FakeServer } from "./fake-server.ts";
import { cancelTurn, deleteSession, resolveFirst, runAnother, type TurnIds } from "./own-calls.ts";

/** What things are done to. */
export interface Surroundings {
  readonly proxy: CuttingProxy;
  readonly server: FakeServer | undefined;
  /** The turn, where it is known before the client reads it. */
  readonly ids: TurnIds;
}

/** How often it is looked whether connections were made. */
const LOOK_MS = 10;

/**
 * Does a case's actions, the one after the other, each once its time has come. An action that fails is a problem of the
 * case; one whose time did not come, too, unless it is optional.
 */
export class Meanwhile implements AsyncDisposable {
  readonly #surroundings: Surroundings;
  readonly #actions: readonly Action[];
  readonly #over = new AbortController();
  readonly #kinds = new Set<string>();
  readonly #running: Promise<string[]>;
  #sequence = 0;
  #ids: TurnIds;
  #told = Promise.withResolvers<void>();

  constructor(actions: readonly Action[], surroundings: Surroundings) {
    this.#actions = actions;
    this.#surroundings = surroundings;
    this.#ids = surroundings.ids;
    this.#running = this.#run();
  }

  /** An event, or a change, was printed. */
  heard(message: JsonObject): void {
    const kind = kindOf(message);
    if (kind !== undefined) this.#kinds.add(kind);
    this.#sequence = Math.max(this.#sequence, Number(message.sequence ?? message.cursor));
    if (typeof message.turn_id === "string") {
      this.#ids = { turnId: message.turn_id, sessionId: String(message.session_id) };
    }
    this.#told.resolve();
    this.#told = Promise.withResolvers();
  }

  /** The client has ended: nothing more is done. Answers what was not done, or failed. */
  finish(): Promise<string[]> {
    this.#over.abort();
    this.#told.resolve();
    return this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
  }

  async #run(): Promise<string[]> {
    for (const action of this.#actions) {
      await this.#due(action);
      if (this.#over.signal.aborted) {
        return action.optional ? [] : [`the client ended before the kit's "${action.do}"`];
      }
      try {
        await this.#do(action.do);
      } catch (error) {
        return [`the kit's "${action.do}" failed: ${String(error)}`];
      }
    }
    return [];
  }

  /** Resolves when the action's time has come, or there is no time any more. */
  async #due({ after }: Action): Promise<void> {
    const { proxy } = this.#surroundings;
    const { sequence = 0, kind, connections = 0, ms = 0 } = after;
    const isDue = () =>
      this.#sequence >= sequence &&
      (kind === undefined || this.#kinds.has(kind)) &&
      proxy.connections >= connections;
    while (!isDue() && !this.#over.signal.aborted) {
      await Promise.race([this.#told.promise, this.#pause(LOOK_MS)]);
    }
    await this.#pause(ms);
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.#over.signal }).catch(() => {});
  }

  async #do(what: Action["do"]): Promise<void> {
    const { proxy, server } = this.#surroundings;
    const { turnId, sessionId } = this.#ids;
    switch (what) {
      case "kill":
        return server!.end("SIGKILL");
      case "drain":
        return server!.signal("SIGTERM");
      case "start":
        return server!.start();
      case "cut":
        return proxy.cut("FIN");
      case "reset":
        return proxy.cut("RST");
      case "blacken":
        return proxy.blacken();
      case "hold":
      case "release":
        return proxy.hold(what === "hold");
      case "refuse":
      case "accept":
        return proxy.refuse(what === "refuse");
      case "allow":
      case "deny":
        return resolveFirst(server!, turnId, what);
      case "cancel":
        return cancelTurn(server!, turnId);
      case "run":
        return runAnother(server!, sessionId, "another turn");
      case "delete_session":
        return deleteSession(server!, sessionId);
    }
  }
}
