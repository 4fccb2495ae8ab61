import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "../support/protocols.ts";
import { readSyncOrder, traceOptions, whyNotTraced } from "../support/sync-order.ts";
import { startFaultServer } from "./fault-server.ts";
import { createGround, type Ground } from "./ground.ts";
import { between } from "./random.ts";
import { Recording } from "./recording.ts";
import type { FaultRow, RowOutcome } from "./row.ts";
import { countedRequest } from "./started-turn.ts";

/** A trace gets large: 2 MB a trial. */
const MOST_TRIALS = 50;
const TURNS = 3;
const TEXTS = 20;

/** The order of syncs and sends, as the kernel sees it: no kill can show it, because the page cache survives one. */
export const fsyncOrder: FaultRow = {
  name: "fsync-order",
  fault: "none: every write and sync of the server is traced (strace) while turns run",
  bar: "every text that is sent was on disk before: its write to the log had returned, then a sync of the log, then the send began",
  async run(trials) {
    const untraceable = whyNotTraced();
    if (untraceable !== undefined) return { trials: 0, failures: [], skipped: untraceable };
    await using ground = await createGround();
    const outcome = await trace(ground, Math.min(trials, MOST_TRIALS));
    if (outcome.failures.length > 0) ground.keep();
    return outcome;
  },
};

async function trace(ground: Ground, trials: number): Promise<RowOutcome> {
  const path = join(ground.root, "trace");
  // The tracer is the grandchild: the process that is waited for and killed is the server.
  await using server = await startFaultServer(ground, ["strace", "-D", ...traceOptions(path)]);
  using connection = connect(server.url);
  const tokens: string[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const recordings = Array.from({ length: TURNS }, () => {
      const pause = between(0, 5);
      const { token, ...message } = countedRequest((token) => [`say ${token} ${TEXTS} ${pause}`]);
      tokens.push(token);
      return new Recording(connection.client.runTurn(message));
    });
    await Promise.all(recordings.map(({ over }) => over));
  }
  // Traced to the end: strace exits with what it traces.
  await server.end("SIGTERM");
  // In a prompt, which is in the log too, another number follows.
  const texts = new RegExp(`(?:${tokens.join("|")}) \\d+(?!\\d| \\d)`, "g");
  const lines: string[] = [];
  for await (const line of createInterface({ input: createReadStream(path, "latin1") })) {
    if (/-wal>|<TCP|resumed>/.test(line)) lines.push(line);
  }
  const { sent, early } = readSyncOrder(lines, (data) => data.match(texts) ?? []);
  const expected = tokens.length * TEXTS;
  const failures = [...early].map((text) => `${text} was sent before it was on disk (see ${path})`);
  if (sent.size !== expected)
    failures.push(`${sent.size} of ${expected} texts are seen in sends (see ${path})`);
  return { trials, failures, figures: { "texts whose order is shown": sent.size - early.size } };
}
