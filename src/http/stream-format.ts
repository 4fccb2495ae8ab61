import Negotiator from "negotiator";
import type { HttpRequest } from "../edge/http.ts";
import type { FlatEvent } from "./flat-event.ts";
import { Problem } from "./problem.ts";

/** How a stream of events is written. */
export interface StreamFormat {
  readonly mediaType: string;
  /** What stands in front of all events. */
  readonly opening: string;
  /** An event; of a turn or of a stream. */
  event(event: FlatEvent): string;
  /** What says, after silence, that the stream is alive. */
  heartbeat(checkpoint: FlatEvent): string;
  /** Why the stream ends before its turn. `members` are those of a line of the kind `problem`. */
  problem(members: Readonly<Record<string, unknown>>, retryAfterMs: number | undefined): string;
}

/** When an `EventSource` comes back after its connection broke. */
const RETRY_MS = 1000;
/** The same where asking again is likely of no use, though it does so for ever. */
const HOPELESS_RETRY_MS = 60_000;

const jsonLines: StreamFormat = {
  mediaType: "application/x-ndjson",
  opening: "",
  event: ({ json }) => `${json}\n`,
  heartbeat: ({ json }) => `${json}\n`,
  problem: (members) => `${JSON.stringify(members)}\n`,
};

const eventStream: StreamFormat = {
  mediaType: "text/event-stream",
  opening: `retry: ${RETRY_MS}\n\n`,
  event({ kind, sequence, json }) {
    // A piece of text has no place that a reader could go on from.
    const id = kind === "text_delta" ? "" : `id: ${sequence}\n`;
    return `${id}event: ${kind}\ndata: ${json}\n\n`;
  },
  heartbeat: () => ": the turn goes on\n\n",
  problem: (members, retryAfterMs = HOPELESS_RETRY_MS) =>
    `retry: ${retryAfterMs}\nevent: problem\ndata: ${JSON.stringify(members)}\n\n`,
};

const FORMATS = [jsonLines, eventStream];

/** The media types of streams. */
export const STREAM_TYPES = FORMATS.map(({ mediaType }) => mediaType);

/** What `curl --json` accepts: lines of it are the nearest that there is. */
const JSON_TYPE = "application/json";

/**
 * The format that a request accepts; lines of JSON where it takes either.
 *
 * @throws Problem 406
 */
export function acceptedFormat({ headers }: HttpRequest): StreamFormat {
  const accepted = new Negotiator({ headers }).mediaType([...STREAM_TYPES, JSON_TYPE]);
  if (accepted === JSON_TYPE) return jsonLines;
  const format = FORMATS.find(({ mediaType }) => mediaType === accepted);
  if (format !== undefined) return format;
  throw new Problem(406, `Accept must have ${STREAM_TYPES.join(" or ")}`);
}
