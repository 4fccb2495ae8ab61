import { Counter, Gauge, type Registry } from "prom-client";
import type { HeadDelivery } from "../audit/head-publisher.ts";
import type { ServerLoad } from "./server-load.ts";

const GAUGES: readonly (readonly [
  name: string,
  help: string,
  read: (delivery: HeadDelivery) => number | undefined,
])[] = [
  [
    "breakglass_audit_head_age_seconds",
    "How old the newest head of the audit is that a destination has taken. It grows while nothing is recorded.",
    ({ ageMs }) => ageMs && ageMs / 1000,
  ],
  [
    "breakglass_audit_head_lacking_seconds",
    "For how long a destination has lacked the newest head. 0: it has it.",
    ({ lackingMs }) => lackingMs / 1000,
  ],
];

/** Registers how it stands with the audit's heads, by the kind of where they go. */
export function registerHeads(registry: Registry, load: () => ServerLoad | undefined): void {
  const common = { registers: [registry], labelNames: ["destination"] };
  const heads = () => load()?.heads() ?? [];
  for (const [name, help, read] of GAUGES) {
    new Gauge({
      ...{ name, help, ...common },
      collect() {
        this.reset();
        for (const delivery of heads()) {
          const value = read(delivery);
          if (value !== undefined) this.set({ destination: delivery.kind }, value);
        }
      },
    });
  }
  new Counter({
    name: "breakglass_audit_head_failures_total",
    help: "How often a head could not be signed, or was not taken.",
    ...common,
    collect() {
      this.reset();
      for (const { kind, failures } of heads()) this.inc({ destination: kind }, failures);
    },
  });
}
