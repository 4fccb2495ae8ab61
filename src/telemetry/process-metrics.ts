import { readdir } from "node:fs/promises";
import { Counter, Gauge, type Registry } from "prom-client";
import { readVersion } from "../version.ts";
import type { EventLoopDelay } from "./event-loop-delay.ts";

/** Looking costs some 10 ms of a thread with 10,000 of them. */
const DESCRIPTORS_FRESH_MS = 10_000;

/**
 * Registers what the server's process takes of its machine, under the names that Prometheus' own clients have. The client's
 * own collection is not used: it reads directories on the thread that serves everyone.
 */
export function registerProcess(registry: Registry, delay: EventLoopDelay): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>) =>
    new Gauge({
      ...{ name, help, registers: [registry] },
      async collect() {
        this.set(await read());
      },
    });
  const startSeconds = Date.now() / 1000 - process.uptime();
  gauge("process_start_time_seconds", "When the process started.", () => startSeconds);
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Time of processors, the system's included.",
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  gauge("process_resident_memory_bytes", "Memory that is resident.", () =>
    process.memoryUsage.rss(),
  );
  gauge("nodejs_heap_used_bytes", "The JavaScript heap that is used.", () => {
    return process.memoryUsage().heapUsed;
  });
  gauge("nodejs_external_memory_bytes", "Memory of buffers, outside of the heap.", () => {
    return process.memoryUsage().external;
  });
  gauge("process_open_fds", "Open file descriptors.", openDescriptors());
  new Gauge({
    name: "breakglass_event_loop_delay_seconds",
    help: "How late the event loop came to what waited for it, in the last 15 to 30 s.",
    ...{ registers: [registry], labelNames: ["statistic"] },
    collect() {
      const { median, p99, max } = delay.worst;
      this.set({ statistic: "median" }, median);
      this.set({ statistic: "p99" }, p99);
      this.set({ statistic: "max" }, max);
    },
  });
  new Gauge({
    name: "breakglass_build_info",
    help: "1, with the version of the service and of Node.",
    ...{ registers: [registry], labelNames: ["version", "node"] },
  }).set({ version: readVersion(), node: process.version }, 1);
}

/** Counts them off the thread that asks, and seldom. NaN where they cannot be looked at. */
function openDescriptors(): () => Promise<number> {
  let counted = Promise.resolve(Number.NaN);
  let countedAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - countedAt > DESCRIPTORS_FRESH_MS) {
      countedAt = performance.now();
      counted = readdir("/proc/self/fd").then(
        ({ length }) => length,
        () => Number.NaN,
      );
    }
    return counted;
  };
}
