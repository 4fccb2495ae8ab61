import { type Opening, openingsFor } from "../security/openings.ts";
import { type Ending, everyByte, heldConnections, RawClient } from "../security/raw-client.ts";
import { eventually } from "../support/processes.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import type { FaultRow } from "./row.ts";
import { faultsWithin, Tally } from "./trials.ts";
import { startWatchedServer, type WatchedServer } from "./watched-server.ts";

const CLIENTS = 30;
const ENDINGS: readonly Ending[] = ["none", "FIN", "RST"];
/** Whoever else asks is answered within it. */
const BAR_MS = 1000;
/** Connections without a request are ended after ten seconds. */
const RELEASED_WITHIN_MS = 30_000;
const TRIAL_MS = 120_000;

/** Clients of every protocol say what they say a byte at a time, and stop or end wherever. */
export const oneByte: FaultRow = {
  name: "one-byte",
  fault:
    "one byte at a time: HTTP/1.1, HTTP/2, TLS and none of them, left, ended or reset at any byte",
  bar: `others answered within ${BAR_MS / 1000} s; connections let go of within ${RELEASED_WITHIN_MS / 1000} s; out at SIGTERM`,
  async run(trials) {
    const tally = new Tally();
    const random = new SeededRandom(trials);
    await using watched = await startWatchedServer();
    const openings = await openingsFor(watched.server.url);
    for (let trial = 0; trial < trials; trial++) {
      const faults = await faultsWithin(TRIAL_MS, () => runTrial(watched, openings, random));
      tally.trial(faults, `trial ${trial} of ${trials}`);
    }
    tally.count("connections", trials * CLIENTS);
    tally.most("ms that the event loop was held", await watched.loopHeldMs());
    tally.time("longest wait of another client", watched.witness.longestMs, BAR_MS);
    tally.trial(await faultsOfEnd(watched), "the end");
    return tally.outcome;
  },
};

async function runTrial(
  { server, witness }: WatchedServer,
  openings: readonly Opening[],
  random: SeededRandom,
): Promise<string[]> {
  const before = witness.answers;
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const { bytes } = openings[random.below(openings.length)]!;
      const upTo = random.below(bytes.length + 1);
      const client = await RawClient.open(server.url);
      const ending = ENDINGS[random.below(ENDINGS.length)]!;
      await client.write(everyByte(bytes.subarray(0, upTo)), ending, random.below(2));
      return client;
    }),
  );
  const answers = await eventually(
    () => witness.answers,
    (found) => found > before + 2,
  );
  for (const client of clients) client[Symbol.dispose]();
  return [
    ...(answers > before + 2 ? [] : ["another client is not answered"]),
    ...witness.faults.map((fault) => `another client: ${fault}`),
  ];
}

/** Leaves a byte of each kind, and looks at what is held in the end. */
async function faultsOfEnd({ server, witness }: WatchedServer): Promise<string[]> {
  const bytes = ["", "P", "PR", "PRI", "G", "\x16"];
  const left = await Promise.all(
    bytes.map(async (text) => {
      const client = await RawClient.open(server.url);
      await client.write([Buffer.from(text, "latin1")]);
      return client;
    }),
  );
  const held = await eventually(
    () => heldConnections(server.url),
    (count) => count <= 1, // The other client's own.
    RELEASED_WITHIN_MS,
  );
  for (const client of left) client[Symbol.dispose]();
  await witness[Symbol.asyncDispose]();
  const status = await server.end("SIGTERM");
  return [
    ...(held <= 1 ? [] : [`${held - 1} connections are still there`]),
    ...(status === 0 ? [] : [`SIGTERM ended it with ${status}`]),
  ];
}
