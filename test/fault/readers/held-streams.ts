/** Many streams that are held open, read or not; to be started by `startClients` with a `HoldPlan`. */
import { setTimeout as delay } from "node:timers/promises";
import { answerAs } from "./client-process.ts";
import { Envelopes } from "./envelopes.ts";
import { type Cut, RawConnection } from "./raw-connection.ts";
import { plainWay } from "./ways.ts";

/** Which streams are to be held, and how. */
export interface HoldPlan {
  readonly url: string;
  readonly http: 1 | 2;
  /** Shared out among the streams. */
  readonly turnIds: readonly string[];
  readonly streams: number;
  /** Over HTTP/1.1 each stream has its own. */
  readonly connections: number;
  /** False: no more is taken than what comes first. */
  readonly reads: boolean;
}

/** What has become of them. */
export interface HeldStreams {
  /** Streams that have had something. */
  readonly begun: number;
  /** Streams that are over. */
  readonly over: number;
  /** Why, and how often. */
  readonly endings: Readonly<Record<string, number>>;
  /** The fewest messages that a stream that is open has had. */
  readonly fewestMessages: number;
  /** The longest that a stream which is open has been without a message, in milliseconds. */
  readonly longestSilenceMs: number;
  /** Bytes of bodies taken, of all streams. */
  readonly bytes: number;
}

/** What is asked of them: how they are, or to be cut off, after which a question is answered as before. */
export type HoldQuestion = "look" | Cut;

interface Stream {
  messages: number;
  bytes: number;
  last: number;
  longestMs: number;
  ending: string | undefined;
}

const OPENED_TOGETHER = 100;
/** How long a stream that is refused because there are too many waits before it is asked for again. */
const REFUSED_MS = 100;
/** RESOURCE_EXHAUSTED, as gRPC and as Connect say it. */
const TOO_MANY = /^(8|8:.*|resource_exhausted:.*)$/;

answerAs<HoldPlan, HoldQuestion, HeldStreams>((plan) => {
  const streams: Stream[] = [];
  const connections: RawConnection[] = [];
  let isCut = false;
  const open = (index: number) => {
    const { url, http } = plan;
    const place = http === 1 ? index : index % plan.connections;
    if (!connections[place]?.isOpen)
      connections[place] = new RawConnection(url, http, { wideWindow: true });
    return connections[place];
  };

  async function hold(index: number): Promise<void> {
    const stream: Stream = {
      messages: 0,
      bytes: 0,
      last: performance.now(),
      longestMs: 0,
      ending: undefined,
    };
    streams.push(stream);
    while (!isCut) {
      const refused = await begin(stream, index);
      if (!refused) return;
      await delay(REFUSED_MS);
    }
  }

  /** Resolves when the stream has had something, or is over; true where it was one too many. */
  function begin(stream: Stream, index: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    let status = "";
    const envelopes = new Envelopes({
      message: () => {
        note(stream);
        resolve(false);
      },
      status: (told) => {
        status = told;
      },
    });
    const way = plainWay(plan.http);
    const turnId = plan.turnIds[index % plan.turnIds.length]!;
    const held = open(index).attach(way, turnId, 0, {
      body(bytes) {
        stream.bytes += bytes.length;
        envelopes.push(bytes);
        if (!plan.reads && stream.messages > 0) held.pause();
      },
      grpcStatus: (told) => {
        status ||= told;
      },
      over(broken) {
        const isRefused = stream.messages === 0 && TOO_MANY.test(status);
        if (!isRefused) stream.ending = broken ?? `status ${status}`;
        resolve(isRefused);
      },
    });
    return promise;
  }

  void openAll(plan.streams, hold);
  return (question) => {
    if (question !== "look") {
      isCut = true;
      for (const connection of connections) connection.cut(question);
    }
    return summary(streams);
  };
});

async function openAll(streams: number, hold: (index: number) => Promise<void>): Promise<void> {
  for (let first = 0; first < streams; first += OPENED_TOGETHER) {
    const length = Math.min(OPENED_TOGETHER, streams - first);
    await Promise.all(Array.from({ length }, (_, index) => hold(first + index)));
  }
}

function note(stream: Stream): void {
  const now = performance.now();
  if (stream.messages > 0) stream.longestMs = Math.max(stream.longestMs, now - stream.last);
  stream.last = now;
  stream.messages++;
}

function summary(streams: readonly Stream[]): HeldStreams {
  const open = streams.filter(({ ending, messages }) => ending === undefined && messages > 0);
  const now = performance.now();
  const endings: Record<string, number> = {};
  for (const { ending } of streams) {
    if (ending !== undefined) endings[ending] = (endings[ending] ?? 0) + 1;
  }
  return {
    begun: streams.filter(({ messages }) => messages > 0).length,
    over: streams.filter(({ ending }) => ending !== undefined).length,
    endings,
    fewestMessages: least(open.map(({ messages }) => messages)),
    longestSilenceMs: -least(open.map(({ last, longestMs }) => -Math.max(longestMs, now - last))),
    bytes: streams.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

/** 0 where there are none. Ten thousand are too many for a call's arguments on some stacks. */
function least(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((one, other) => Math.min(one, other));
}
