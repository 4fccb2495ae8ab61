import type { ProcessSurroundings } from "../agent/process/agent-process.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Listener } from "../edge/listener.ts";
import { forgetLocalAddress } from "../identity/local-token.ts";
import type { Notifier } from "../notify/notifier.ts";
import type { Store } from "../store/store.ts";
import type { Turns } from "../turns/turns.ts";
import type { ServerAudit } from "./audit.ts";
import type { Telemetry } from "./telemetry.ts";

/** A server that accepts connections. */
export interface Server {
  /** Such as `http://127.0.0.1:7433`. */
  readonly url: string;
  /**
   * Takes no new turns, gives the running ones a while, stops them, lets the streams end and closes. Idempotent.
   *
   * @param graceMs - How long they get. Default: as is set.
   */
  drain(graceMs?: number): Promise<void>;
  /** Kills what the turns run, without waiting and without recording it: the next start does. The process is to exit then. */
  stopNow(): void;
  /**
   * Reads rules, certificates and all that tells who somebody is again; what cannot be read stays as it was, and the log says so. Whatever runs or is
   * open goes on, but for streams whose credential counts no more: the next request needs a token of the new ones, the next process of an agent has the new rules, the next
   * connection the new certificate.
   */
  reload(): void;
  /** Whether other servers have taken it for gone. It drains by itself then. */
  readonly isFenced: boolean;
  /** Resolves when it is closed. */
  readonly closed: Promise<void>;
}

/** How long streams get to deliver what they have once their turns have ended. */
const STREAMS_END_MS = 5000;
/** How long what is to be told outside gets to be told. What is not is told by the next start. */
const NOTIFICATIONS_END_MS = 5000;
/** How long they get to deliver that the server ends them, and connections to be closed by their clients. */
const CONNECTIONS_END_MS = 3000;

/** What ends with the server. */
interface Around {
  readonly store: Store;
  readonly notifier: Notifier | undefined;
  readonly telemetry: Telemetry;
  readonly audit: ServerAudit;
  readonly cluster: Cluster | undefined;
  readonly families: ProcessSurroundings["families"];
}

/** A server that listens already, and how it ends: what others wait for ends after them. */
export function running(
  { drainMs, dataDir }: ServeConfig,
  url: string,
  turns: Turns,
  listener: Listener,
  closing: AbortController,
  { store, notifier, telemetry, audit, cluster, families }: Around,
  reload: () => void,
): Server {
  const closed = Promise.withResolvers<void>();
  let draining: Promise<void> | undefined;
  let isFenced = false;
  const drain = async (graceMs: number) => {
    audit.note({ kind: "server_draining" });
    await turns.drain(graceMs);
    const ending = setTimeout(() => closing.abort(), STREAMS_END_MS);
    const cut = () => {
      listener.destroy();
      cluster?.destroy();
    };
    const cutting = setTimeout(cut, STREAMS_END_MS + CONNECTIONS_END_MS);
    forgetLocalAddress(dataDir);
    const notified = notifier?.drain(NOTIFICATIONS_END_MS);
    await Promise.all([listener.close(), cluster?.close(), notified]);
    cluster?.destroy();
    clearTimeout(ending);
    clearTimeout(cutting);
    await audit.end();
    await store.close();
    await telemetry.close();
    closed.resolve();
  };
  void turns.fenced.then(() => {
    isFenced = true;
    // Nothing that it runs can be recorded any more.
    draining ??= drain(0);
  });
  return {
    url,
    reload,
    get isFenced() {
      return isFenced;
    },
    closed: closed.promise,
    stopNow: () => {
      turns.killNow();
      families.killStrays();
    },
    drain: (graceMs = drainMs) => {
      draining ??= drain(graceMs);
      return draining;
    },
  };
}
