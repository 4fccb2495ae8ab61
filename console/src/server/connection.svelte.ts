import type { ConnectionChange } from "@breakglass/client";
import { SvelteSet } from "svelte/reactivity";

/** Why a turn's stream was let go, which no failure of the server's is. */
export class LetGo extends Error {
  override readonly name = "LetGo";
}

/** What is known of a stream's connection, for a person. */
export class Connection {
  /** Since when it is lost. Undefined: it is there, or was never asked for. */
  lostSince = $state<Date>();
  /** Why it was lost last. */
  error = $state<unknown>();
  /** When the next try begins. */
  retryTime = $state<Date>();

  /** To be given as `onConnection`. */
  readonly heed = (change: ConnectionChange): void => {
    if (change.state === "back") {
      this.lostSince = undefined;
      this.retryTime = undefined;
      this.error = undefined;
      return;
    }
    this.lostSince ??= new Date();
    this.retryTime = new Date(Date.now() + change.retryInMs);
    this.error = change.error;
  };

  /** The server cannot be reached. */
  get isLost(): boolean {
    return this.lostSince !== undefined && !this.isLetGo;
  }

  /** Nothing is lost: other windows use the browser's connections, and this one waits. */
  get isLetGo(): boolean {
    return this.error instanceof LetGo;
  }
}

/** The connections of all that is shown: that they are lost is said in one place. */
class Connections {
  readonly #shown = new SvelteSet<Connection>();

  /** Counts a connection among them until what it answers is called. */
  show(connection: Connection): () => void {
    this.#shown.add(connection);
    return () => this.#shown.delete(connection);
  }

  /** Since when one of them is lost. Undefined: none is. */
  get lostSince(): Date | undefined {
    const since = this.#lost.map(({ lostSince }) => lostSince?.getTime() ?? 0);
    return since.length === 0 ? undefined : new Date(Math.min(...since));
  }

  /** When the next of them is tried again. */
  get retryTime(): Date | undefined {
    const next = this.#lost.map(({ retryTime }) => retryTime?.getTime() ?? 0);
    return next.length === 0 ? undefined : new Date(Math.max(...next));
  }

  get #lost(): readonly Connection[] {
    return [...this.#shown].filter(({ isLost }) => isLost);
  }
}

/** The page's. */
export const connections = new Connections();

/** Has a connection count among the page's while the component is shown that calls this while it is made. */
export function useConnection(connection: () => Connection): void {
  $effect(() => connections.show(connection()));
}
