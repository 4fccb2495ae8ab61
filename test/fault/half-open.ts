import { eventually } from "../support/processes.ts";
import { type FaultServer, startFaultServer } from "./fault-server.ts";
import { createGround } from "./ground.ts";
import { holdStreams } from "./readers/holder.ts";
import { faultsOfPlaces } from "./readers/places.ts";
import { openRawPeers, type RawPeers } from "./readers/raw-peers.ts";
import { http1Request, http2Request } from "./readers/request-bytes.ts";
import { connectionsOf } from "./readers/tcp-table.ts";
import { startTurn } from "./readers/turns.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";

/** From so many trials on the server's own settings hold, and nothing happens in the turn; else all is quicker. */
const FULL_SCALE_TRIALS = 100;
const MOST_PEERS = 250;
const FEW_PEERS = 4;
const BAR_MS = 60_000;
const TRIAL_MS = 180_000;

/** How a peer becomes silent. */
const SILENCES: Record<
  string,
  { request: typeof http1Request; fall: (peers: RawPeers) => Promise<void> }
> = {
  "HTTP/1.1, its network gone": { request: http1Request, fall: (peers) => peers.mute() },
  "HTTP/2, its network gone": { request: http2Request, fall: (peers) => peers.mute() },
  "HTTP/2, its process stopped": {
    request: http2Request,
    fall: async ({ pid }) => void process.kill(pid, "SIGSTOP"),
  },
};

/** A peer is silent, and nobody says so. */
export const halfOpen: FaultRow = {
  name: "half-open",
  fault: "peers that fall silent without a word: packets dropped, SIGSTOP",
  bar: "connection and subscription released within 60 s; those who answer keep theirs",
  async run(trials) {
    const tally = new Tally();
    const isFull = trials >= FULL_SCALE_TRIALS;
    const peers = isFull ? Math.min(trials, MOST_PEERS) : FEW_PEERS;
    // At the same time, for each is a wait: of a minute at most.
    const lanes = Object.keys(SILENCES).map(async (silence) => {
      const faults = await faultsWithin(TRIAL_MS, () => runTrial(silence, peers, isFull, tally));
      tally.trial(faults, `${peers} peers: ${silence}`);
    });
    await Promise.all(lanes);
    tally.count("peers", peers * lanes.length);
    return tally.outcome;
  },
};

async function runTrial(silence: string, count: number, isFull: boolean, tally: Tally) {
  const { request, fall } = SILENCES[silence]!;
  await using ground = await createGround({
    BREAKGLASS_MAX_SUBSCRIPTIONS: String(count + 1),
    ...(isFull ? {} : { BREAKGLASS_PING_SECONDS: "1" }),
  });
  await using server = await startFaultServer(ground);
  const { url } = server;
  const turnId = await startTurn(url, isFull ? ["hang"] : ["say tick 10000 100"]);
  const plan = {
    url,
    http: 2,
    turnIds: [turnId],
    streams: 1,
    connections: 1,
    reads: true,
  } as const;
  await using healthy = await holdStreams(plan);
  await using peers = await openRawPeers(url, request(new URL(url).host, turnId), { count });
  await fall(peers);
  const since = performance.now();
  const left = await eventually(
    () => connections(server),
    (open) => open <= 1,
    BAR_MS,
  );
  tally.time(`connection released: ${silence}`, performance.now() - since);
  const faults = left <= 1 ? [] : [`${left - 1} of ${count} connections are still there`];
  const { over } = await healthy.look();
  if (over > 0) faults.push("a peer that answers was ended");
  faults.push(
    ...(await faultsOfPlaces(
      url,
      [turnId],
      count,
      Math.max(5000, since + BAR_MS - performance.now()),
    )),
  );
  return faults;
}

function connections({ url }: FaultServer): number {
  return connectionsOf(Number(new URL(url).port));
}
