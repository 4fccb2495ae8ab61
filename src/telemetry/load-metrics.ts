import { Gauge, type Registry } from "prom-client";
import { TurnState, TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../enum-name.ts";
import type { Distribution } from "../store/store-load.ts";
import { byDeadline } from "../stream/deadline.ts";
import { registerHeads } from "./head-metrics.ts";
import type { ServerLoad } from "./server-load.ts";

/** A store that has not answered by then counts as one that takes no writes: whoever scrapes does not wait for ever. */
const STORE_MS = 2000;
const LIVE_STATES = [TurnState.QUEUED, TurnState.RUNNING, TurnState.AWAITING_APPROVAL];

/** Values by the value of the row's label; undefined: the row is left out. */
type Values = Readonly<Record<string, number>>;
type Read = (load: ServerLoad) => number | Values | undefined | Promise<number | undefined>;
type Row = readonly [name: string, help: string, read: Read, label?: string];

const ROWS: readonly Row[] = [
  [
    "breakglass_turns",
    "Turns without an end on record, by their state.",
    ({ turns }) => {
      const counts = turns();
      return Object.fromEntries(
        LIVE_STATES.map((state) => [enumName(TurnStateSchema, state), counts.get(state) ?? 0]),
      );
    },
    "state",
  ],
  [
    "breakglass_subscriptions",
    "Open readers of turns and of sessions.",
    (load) => load.subscriptions(),
  ],
  ["breakglass_responses", "Open responses of all kinds.", (load) => load.responses()],
  ["breakglass_connections", "Open connections.", (load) => load.connections()],
  [
    "breakglass_active_sessions",
    "Sessions with a turn, with processes that end, or that are being removed.",
    (load) => load.sessions(),
  ],
  [
    "breakglass_agent_processes",
    "Processes of agents, by what they do.",
    (load) => ({ ...load.processes() }),
    "state",
  ],
  [
    "breakglass_store_waiting_calls",
    "Calls that the store has not answered yet.",
    (load) => load.store().waitingCalls,
  ],
  [
    "breakglass_store_takes_writes",
    "1: the store takes writes; 0: it does not, and no turn can be started.",
    async (load) => Number(await byDeadline(load.storeTakesWrites(), STORE_MS, false)),
  ],
  [
    "breakglass_draining",
    "1: the server takes no new turns and is about to end.",
    (load) => Number(load.isDraining()),
  ],
  [
    "breakglass_disk_reserve_bytes",
    "What is kept on the disk for when it is full.",
    (load) => load.reserve().heldBytes,
  ],
  [
    "breakglass_disk_reserve_wanted_bytes",
    "What is to be kept on the disk for when it is full.",
    (load) => load.reserve().wantedBytes,
  ],
  [
    "breakglass_disk_free_bytes",
    "Room in the data directory for the server's user.",
    (load) => load.freeBytes(),
  ],
];

/** Registers what a server does now. Before there is a server it is left out. */
export function registerLoad(registry: Registry, load: () => ServerLoad | undefined): void {
  for (const [name, help, read, label] of ROWS) {
    new Gauge({
      ...{ name, help, registers: [registry], labelNames: label === undefined ? [] : [label] },
      async collect() {
        const now = load();
        const value = now && (await read(now));
        if (value === undefined) this.reset();
        else if (typeof value === "number") this.set(value);
        else for (const [of, count] of Object.entries(value)) this.set({ [label!]: of }, count);
      },
    });
  }
  registerHeads(registry, load);
  const store = () => load()?.store();
  registerDistribution(registry, {
    name: "breakglass_store_commit_seconds",
    help: "How long commits took until they were on disk; their count is that of all commits.",
    read: () => store()?.commitSeconds,
  });
  registerDistribution(registry, {
    name: "breakglass_store_commit_calls",
    help: "How many calls shared a commit.",
    read: () => store()?.commitCalls,
  });
}

interface DistributionRow {
  readonly name: string;
  readonly help: string;
  read(): Distribution | undefined;
}

/** A histogram whose measurements are counted elsewhere. */
function registerDistribution(registry: Registry, { name, help, read }: DistributionRow): void {
  const gauge = new Gauge({ name, help, registers: [] });
  const get = async () => {
    const found = read();
    const values = found === undefined ? [] : seriesOf(name, found);
    return { ...(await gauge.get()), type: "histogram", values };
  };
  registry.registerMetric(Object.assign(Object.create(gauge), { get }));
}

function seriesOf(name: string, { bounds, counts, sum }: Distribution) {
  let total = 0;
  const buckets = counts.map((count, index) => {
    total += count;
    const le = index < bounds.length ? bounds[index]! : "+Inf";
    return { metricName: `${name}_bucket`, labels: { le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels: {}, value: sum },
    { metricName: `${name}_count`, labels: {}, value: total },
  ];
}
