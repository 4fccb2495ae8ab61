import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";
import { holdStreams } from "./readers/holder.ts";
import { faultsOfPlaces } from "./readers/places.ts";
import { steady, waitingBytes } from "./readers/tcp-table.ts";
import { startTurn } from "./readers/turns.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";

const VERSIONS = [1, 2] as const;
const WAYS_TO_GO = ["reset", "destroy", "SIGKILL"] as const;
/** Of each kind, at full scale: where 50 or more trials are asked for. */
const MOST_OF_A_KIND = 50;
const STREAMS = 3;
const FREE_WITHIN_MS = 5000;
const BLOCKED_WITHIN_MS = 10_000;
const TRIAL_MS = 60_000;

/** More than the kernel holds for a connection of HTTP/1.1; then the turn stays as it is. */
const TURNS = {
  large: ["pour large 24 1000000", "hang"],
  small: ["pour small 40000 400", "hang"],
} as const;

/** A client goes away while the server waits to write to it. */
export const writeBlocked: FaultRow = {
  name: "write-blocked",
  fault: "client gone while a write is blocked: RST, close and SIGKILL, over HTTP/1.1 and HTTP/2",
  bar: "0 subscriptions left (every place free again)",
  async run(trials) {
    const tally = new Tally();
    const ofAKind = Math.min(trials, MOST_OF_A_KIND);
    await Promise.all(VERSIONS.map((http) => runLane(http, ofAKind, tally)));
    return tally.outcome;
  },
};

async function runLane(http: 1 | 2, ofAKind: number, tally: Tally): Promise<void> {
  await using ground = await createGround({ BREAKGLASS_MAX_SUBSCRIPTIONS: String(STREAMS) });
  await using server = await startFaultServer(ground);
  // Both before the first trial: a place that has just become free may not be theirs to take.
  const turns: [size: string, turnId: string][] = [];
  for (const [size, steps] of Object.entries(TURNS)) {
    turns.push([size, await startTurn(server.url, steps)]);
  }
  for (const [size, turnId] of turns) {
    const trials = size === "large" ? Math.ceil(ofAKind / 2) : Math.floor(ofAKind / 2);
    for (let trial = 0; trial < trials; trial++) {
      for (const how of WAYS_TO_GO) {
        const run = () => runTrial(server, turnId, http, how, tally);
        const what = `${how}, HTTP/${http}, ${size} events: `;
        const faults = await faultsWithin(TRIAL_MS, run);
        tally.trial(
          faults.map((fault) => what + fault),
          ground.root,
        );
        if (faults.length > 0) ground.keep();
      }
    }
  }
}

async function runTrial(
  server: FaultServer,
  turnId: string,
  http: 1 | 2,
  how: (typeof WAYS_TO_GO)[number],
  tally: Tally,
): Promise<string[]> {
  const { url } = server;
  const plan = { url, http, turnIds: [turnId], streams: STREAMS, connections: 1, reads: false };
  await using holder = await holdStreams(plan);
  const { port } = new URL(url);
  const look = async () => ({
    toSend: waitingBytes(Number(port)),
    bytes: (await holder.look()).bytes,
  });
  // Over HTTP/2 it is the streams' windows that are closed, and nothing waits in the kernel.
  const isBlocked = ({ toSend }: { toSend: number }) => http === 2 || toSend > 0;
  const blocked = await steady(look, isBlocked, BLOCKED_WITHIN_MS);
  if (!isBlocked(blocked)) return ["no write was blocked"];
  tally.most(`bytes waiting in the kernel, HTTP/${http}`, blocked.toSend);
  const gone = performance.now();
  if (how === "SIGKILL") await holder.kill();
  else await holder.cut(how);
  const faults = await faultsOfPlaces(url, [turnId], STREAMS, FREE_WITHIN_MS);
  tally.time("places free", performance.now() - gone);
  return faults;
}
