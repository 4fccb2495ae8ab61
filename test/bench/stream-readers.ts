import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { StreamsRead } from "./many-streams.ts";
import { repository } from "./program.ts";

const LONGEST_MS = 300_000;
const OPEN_WITHIN_MS = 120_000;
const POLL_MS = 200;

/** Many streams in a process of their own. It has ended when its scope has. */
export interface StreamReaders extends AsyncDisposable {
  readonly pid: number;
  /** What they have read; events and ages since the last time that this was asked. */
  read(): Promise<StreamsRead>;
}

/**
 * Opens streams over a number of connections and waits until each has had its first message, or its first event where it
 * is one of a turn of its own.
 *
 * @param turnId - The turn that all of them read. Undefined: each starts one.
 */
export async function openStreams(
  url: string,
  connections: number,
  streams: number,
  turnId?: string,
): Promise<StreamReaders> {
  const args = [
    url,
    String(connections),
    String(streams),
    ...(turnId === undefined ? [] : [turnId]),
  ];
  const child = fork("test/bench/many-streams.ts", args, {
    cwd: repository,
    serialization: "advanced",
    timeout: LONGEST_MS,
  });
  const closed = once(child, "close");
  const gone = closed.then(() => {
    throw new Error("the process that reads the streams has ended");
  });
  gone.catch(() => {});
  const read = async () => {
    const answer = once(child, "message");
    child.send("read");
    const [streamsRead] = await Promise.race([answer, gone]);
    return streamsRead as StreamsRead;
  };
  const dispose = async () => {
    child.kill();
    await closed;
  };
  try {
    await untilOpen(read, streams, turnId === undefined);
  } catch (error) {
    await dispose();
    throw error;
  }
  return { pid: child.pid ?? 0, read, [Symbol.asyncDispose]: dispose };
}

async function untilOpen(read: () => Promise<StreamsRead>, streams: number, events: boolean) {
  const deadline = performance.now() + OPEN_WITHIN_MS;
  for (;;) {
    const { begun, came, ended } = await read();
    if (ended > 0) throw new Error(`${ended} of ${streams} streams ended at once`);
    if ((events ? came : begun) === streams) return;
    if (performance.now() > deadline) throw new Error(`only ${begun} of ${streams} streams opened`);
    await delay(POLL_MS);
  }
}
