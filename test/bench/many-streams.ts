/**
 * Reads many streams of the server at the URL given: of turns that it starts, or of the one turn named, over so many
 * connections. To be forked. Answers each message with what it has read since the last (`StreamsRead`).
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  AttachTurnRequestSchema,
  BreakglassService,
  RunTurnRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { FrameConnection, type StreamReader } from "./frame-connection.ts";

/** What streams have read. */
export interface StreamsRead {
  /** Streams that had a message. */
  readonly begun: number;
  /** Streams that had a durable event. */
  readonly came: number;
  /** Streams that have ended. */
  readonly ended: number;
  /** Durable events since the last answer. */
  readonly events: number;
  /** How long they were on their way, those that tell, in milliseconds; since the last answer. */
  readonly ages: readonly number[];
}

const OPENED_TOGETHER = 50;
const TICK = Buffer.from("tick ");
const TICK_DIGITS = 20;

const [url = "", connectionCount = "1", streamCount = "1", turnId] = process.argv.slice(2);
const service = `/${BreakglassService.typeName}`;
const call =
  turnId === undefined
    ? {
        path: `${service}/RunTurn`,
        message: toBinary(RunTurnRequestSchema, create(RunTurnRequestSchema, { prompt: "go" })),
      }
    : {
        path: `${service}/AttachTurn`,
        message: toBinary(AttachTurnRequestSchema, create(AttachTurnRequestSchema, { turnId })),
      };

const read = { begun: 0, came: 0, ended: 0, events: 0 };
let ages: number[] = [];

function reader(began: () => void): StreamReader {
  let begun = false;
  let sequence = 0;
  return {
    message(bytes) {
      if (!begun) {
        begun = true;
        read.begun++;
        began();
      }
      const next = sequenceOf(bytes);
      if (next === 0) return;
      if (next !== sequence + 1) throw new Error(`event ${sequence} is followed by ${next}`);
      if (sequence === 0) read.came++;
      sequence = next;
      read.events++;
      const tick = bytes.indexOf(TICK);
      if (tick === -1) return;
      const start = tick + TICK.length;
      const written = Number.parseInt(bytes.toString("latin1", start, start + TICK_DIGITS), 10);
      ages.push(Number(process.hrtime.bigint()) / 1e6 - written / 1e3);
    },
    end: () => {
      read.ended++;
      if (!begun) began();
    },
  };
}

/** The sequence of a response's event; 0 for one that is not durable. */
function sequenceOf(bytes: Uint8Array): number {
  const response = new BinaryReader(bytes);
  response.tag();
  response.uint32();
  const [field] = response.tag();
  return field === 1 ? response.uint32() : 0;
}

process.on("message", () => {
  process.send?.({ ...read, ages } satisfies StreamsRead);
  read.events = 0;
  ages = [];
});
process.on("disconnect", () => process.exit());

const connections = Array.from({ length: Number(connectionCount) }, () => new FrameConnection(url));
for (let first = 0; first < Number(streamCount); first += OPENED_TOGETHER) {
  const length = Math.min(OPENED_TOGETHER, Number(streamCount) - first);
  const opened = Array.from({ length }, (_, index) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const connection = connections[(first + index) % connections.length]!;
    connection.call(call.path, call.message, reader(resolve));
    return promise;
  });
  await Promise.all(opened);
}
