import type { HeldStreams } from "./held-streams.ts";
import { holdStreams } from "./holder.ts";
import { openRawPeers } from "./raw-peers.ts";
import { http1Request } from "./request-bytes.ts";
import { steady, waitingBytes } from "./tcp-table.ts";

const STREAMS_OF_A_CONNECTION = 50;
const STALLED_WITHIN_MS = 30_000;

/** Readers that take no more of a turn than its beginning. They are gone when their scope is. */
export interface StalledReaders extends AsyncDisposable {
  /** How those of HTTP/2 are. */
  look(): Promise<HeldStreams>;
}

/** Opens so many of them, half of them over HTTP/1.1, and waits until nothing more gets through to any. */
export async function stallReaders(
  url: string,
  turnId: string,
  count: number,
): Promise<StalledReaders> {
  await using readers = new AsyncDisposableStack();
  const { host, port } = new URL(url);
  const streams = count / 2;
  const peers = { count: count - streams, stalled: true };
  readers.use(await openRawPeers(url, http1Request(host, turnId), peers));
  const connections = Math.ceil(streams / STREAMS_OF_A_CONNECTION);
  const plan = { url, http: 2, turnIds: [turnId], streams, connections, reads: false } as const;
  const holder = readers.use(await holdStreams(plan, { mayEnd: true }));
  const look = async () => ({
    toSend: waitingBytes(Number(port)),
    bytes: (await holder.look()).bytes,
  });
  await steady(look, ({ toSend }) => toSend > 0, STALLED_WITHIN_MS);
  const opened = readers.move();
  return { look: holder.look, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
