import { statfs } from "node:fs/promises";
import type { Agents } from "../agent/agents.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { DiskReserve } from "../disk-reserve.ts";
import type { Listener } from "../edge/listener.ts";
import type { Readers } from "../edge/readers.ts";
import type { Happenings } from "../happenings.ts";
import type { ServedMetrics } from "../http/metrics.ts";
import type { Log } from "../log.ts";
import { allTold } from "../telemetry/all-told.ts";
import { loggedTurns } from "../telemetry/logged-turns.ts";
import type { ServerLoad } from "../telemetry/server-load.ts";
import type { Turns } from "../turns/turns.ts";
import type { ServerAudit } from "./audit.ts";
import type { ServedStore } from "./store.ts";

/** What a server tells of itself, as it is set. */
export interface Telemetry {
  readonly happenings: Happenings;
  /** Undefined: it keeps none. */
  readonly metrics: ServedMetrics | undefined;
  /** Says what is asked from now on what the server does. */
  watch(load: ServerLoad): void;
  /** Sends what is to be sent, within a bound, and ends. Never rejects. */
  close(): Promise<void>;
}

/** Starts it. What is not set is not loaded. */
export async function startTelemetry(config: ServeConfig, log: Log): Promise<Telemetry> {
  const listeners = [loggedTurns(log)];
  const metrics = config.metrics === "off" ? undefined : await startMetrics();
  if (metrics !== undefined) listeners.push(metrics.happenings);
  const traces = await startTraces(config, log);
  if (traces !== undefined) {
    // Last, for it says what the turns' agents go on with.
    listeners.push(traces.happenings);
    metrics?.watchSpans(traces.spans);
  }
  return {
    happenings: allTold(listeners, log),
    metrics: metrics && servedMetrics(config, () => metrics.read()),
    watch: (load) => metrics?.watch(load),
    async close() {
      await traces?.close();
      metrics?.[Symbol.dispose]();
    },
  };
}

async function startMetrics() {
  const { Metrics } = await import("../telemetry/metrics.ts");
  return new Metrics();
}

async function startTraces(config: ServeConfig, log: Log) {
  const { otlpUrl: url, otlpHeaders: headers, otlpProtocol: protocol } = config;
  if (url === undefined) return undefined;
  const { Traces } = await import("../telemetry/traces.ts");
  return new Traces({ url, headers, protocol }, log);
}

function servedMetrics(
  { metrics, metricsToken: tokenHash }: ServeConfig,
  read: () => Promise<string>,
): ServedMetrics {
  return { read, tokenHash, readers: metrics === "open" ? "open" : "callers" };
}

/** The parts of a server that know what it does now. */
interface Parts {
  readonly turns: Turns;
  readonly agents: Agents;
  readonly readers: Readers;
  readonly listener: Listener;
  readonly reserve: DiskReserve;
  readonly audit: ServerAudit;
  readonly store: Pick<ServedStore, "load">;
}

/** What a server does now. */
export function serverLoad(parts: Parts, { dataDir, reserveBytes }: ServeConfig): ServerLoad {
  const { turns, agents, readers, listener, reserve, audit, store } = parts;
  return {
    turns: () => turns.unended,
    subscriptions: () => turns.subscriptions,
    responses: () => readers.size,
    connections: () => listener.connections,
    sessions: () => turns.activeSessions,
    processes: () => agents.processCounts(),
    store: () => store.load(),
    storeTakesWrites: () => turns.serving.takesWrites(),
    isDraining: () => turns.serving.isDraining,
    heads: () => audit.deliveries(),
    reserve: () => ({ heldBytes: reserve.heldBytes, wantedBytes: reserveBytes }),
    freeBytes: () =>
      statfs(dataDir).then(
        ({ bavail, bsize }) => bavail * bsize,
        () => undefined,
      ),
  };
}
