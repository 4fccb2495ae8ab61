import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { heldMegabytes, peakMegabytes, resetPeak } from "../bench/memory.ts";
import { pathOf } from "../security/raw-requests.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";
import { startWatchedServer, type WatchedServer } from "./watched-server.ts";

const MIB = 1024 * 1024;
/** From so many trials on there are as many streams as reported; each trial costs more than a gigabyte sent. */
const FULL_SCALE_TRIALS = 100;
const STREAMS = 100;
const FEW_STREAMS = 20;
const MOST_TRIALS = 3;
const STREAM_BYTES = 13 * MIB;
const BAR_MB = 250;
const BAR_MS = 1000;
const TRIAL_MS = 180_000;
const SEND_MS = 60_000;

/** Clients begin the largest bodies there are, and never end them. */
export const unfinishedBodies: FaultRow = {
  name: "unfinished-bodies",
  fault: "unfinished bodies: 100 streams of 13 MiB each, without their last bytes",
  bar: `less than ${BAR_MB} MB more; others answered within ${BAR_MS / 1000} s; small requests served, large ones once they are gone`,
  async run(trials) {
    const tally = new Tally();
    const streams = trials >= FULL_SCALE_TRIALS ? STREAMS : FEW_STREAMS;
    await using watched = await startWatchedServer();
    for (let trial = 0; trial < Math.min(trials, MOST_TRIALS); trial++) {
      const run = () => runTrial(watched, streams, tally);
      tally.trial(await faultsWithin(TRIAL_MS, run), `trial ${trial}, ${streams} streams`);
    }
    tally.most("ms that the event loop was held", await watched.loopHeldMs());
    tally.time("longest wait of another client", watched.witness.longestMs, BAR_MS);
    return tally.outcome;
  },
};

async function runTrial({ server, witness }: WatchedServer, streams: number, tally: Tally) {
  const faults: string[] = [];
  const before = heldMegabytes(server.pid);
  resetPeak(server.pid);
  const session = connectHttp2(server.url).on("error", () => {});
  await Promise.race([
    beginBodies(session, streams),
    new Promise((resolve) => setTimeout(resolve, SEND_MS).unref()),
  ]);
  using connection = connect(server.url);
  const run = (bytes: number) =>
    collect(
      connection.client.runTurn({
        prompt: "say hi",
        attachments: [{ name: "a.txt", mediaType: "text/plain", data: new Uint8Array(bytes) }],
      }),
    ).catch(() => []);
  if ((await run(1000)).length === 0) faults.push("a small request is not served");
  const more = peakMegabytes(server.pid) - before;
  tally.most("MB more at the peak", more);
  if (more > BAR_MB) faults.push(`${Math.round(more)} MB more`);
  session.destroy();
  const large = await eventually(
    () => run(5 * MIB),
    ({ length }) => length > 0,
  );
  if (large.length === 0) faults.push("a large request is not served once they are gone");
  faults.push(...witness.faults.map((fault) => `another client: ${fault}`));
  return faults;
}

/** Resolves when each has been sent, or refused. */
async function beginBodies(session: ClientHttp2Session, streams: number): Promise<void> {
  const body = Buffer.alloc(STREAM_BYTES);
  body.writeUInt32BE(STREAM_BYTES, 1); // More than comes.
  const sent = Array.from({ length: streams }, () => {
    const stream = session.request({
      ":method": "POST",
      ":path": pathOf("RunTurn"),
      "content-type": "application/grpc",
    });
    return new Promise<void>((resolve) => {
      stream.on("error", () => {}).once("close", () => resolve());
      stream.once("response", () => resolve());
      stream.write(body, () => resolve());
    });
  });
  await Promise.all(sent);
}
