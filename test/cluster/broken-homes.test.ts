import { randomUUID } from "node:crypto";
import { type ClientHttp2Session, constants, type ServerHttp2Stream } from "node:http2";
import { create, type DescMethod, toBinary, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  AttachTurnRequestSchema,
  BreakglassService,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  compressed,
  enveloped,
  nameOf,
  openRaw,
  RAW_WAYS,
  type RawWay,
  rawCall,
} from "../support/raw-calls.ts";
import { type ScriptedHome, startScriptedHome } from "./scripted-home.ts";

const { attachTurn, cancelTurn } = BreakglassService.method;
/** Two messages, whatever is in them: nothing on the way looks. */
const MESSAGES = Buffer.concat([
  enveloped(Buffer.alloc(20, "a"), 0),
  enveloped(Buffer.alloc(7), 1),
]);
const BOUNDARIES = [25, MESSAGES.length];
const TURN = { turnId: randomUUID() };

let home: ScriptedHome;
let session: ClientHttp2Session;
beforeAll(async () => {
  home = await startScriptedHome();
  session = openRaw(home.first.url);
});
afterAll(async () => {
  session.close();
  await home[Symbol.asyncDispose]();
});

/** What breaks off: the stream, in some way, or the connection with all of them. */
const ENDS: readonly (readonly [string, (stream: ServerHttp2Stream) => void])[] = [
  ["is reset", (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
  ["loses its connection", (stream) => stream.session?.destroy()],
];

function typeOf({ protocol, isJson }: RawWay): string {
  return `application/${protocol}+${isJson ? "json" : "proto"}`;
}

function call(method: DescMethod, way: RawWay, received?: (chunk: Buffer) => void) {
  const message = create(AttachTurnRequestSchema, TURN);
  const bytes = way.isJson
    ? Buffer.from(toJsonString(AttachTurnRequestSchema, message))
    : toBinary(AttachTurnRequestSchema, message);
  return rawCall(session, method, way, compressed(bytes, way), received ? { received } : {});
}

/** Answers with so many bytes of a stream, and then breaks off. */
function breakAfter(bytes: number, way: RawWay, end: (stream: ServerHttp2Stream) => void): void {
  home.answer = (stream) => {
    stream.respond({ ":status": 200, "content-type": typeOf(way) });
    if (bytes === 0) end(stream);
    else stream.write(MESSAGES.subarray(0, bytes), () => end(stream));
  };
}

describe.each(
  RAW_WAYS.filter(({ encoding }) => encoding === "identity").map(
    (way) => [nameOf(way), way] as const,
  ),
)("a stream of the home's, over %s", (_name, way) => {
  it.each(ENDS)(
    "that %s at any byte ends behind a whole message, and can be gone on with",
    async (_how, end) => {
      for (let bytes = 0; bytes <= MESSAGES.length; bytes++) {
        breakAfter(bytes, way, end);
        const chunks: Buffer[] = [];
        const answer = await call(attachTurn, way, (chunk) => void chunks.push(chunk));
        expect(answer, `${bytes} bytes`).toMatchObject({ code: "Unavailable", hasDetails: true });
        const whole = BOUNDARIES.findLast((boundary) => boundary <= bytes) ?? 0;
        const received = Buffer.concat(chunks);
        expect(received.subarray(0, whole), `${bytes} bytes`).toEqual(MESSAGES.subarray(0, whole));
        if (way.protocol === "grpc") expect(received.length).toBe(whole);
      }
    },
  );

  it.each(ENDS)(
    "that %s before it began is refused so that it can be asked for again",
    async (_how, end) => {
      home.answer = end;
      const answer = await call(attachTurn, way);
      expect(answer).toMatchObject({ code: "Unavailable", hasDetails: true });
    },
  );

  it.each(ENDS)(
    "a call that %s is refused likewise, at any byte of its answer",
    async (_how, end) => {
      for (const bytes of [undefined, 0, 1, 25, 30]) {
        home.answer = (stream) => {
          if (bytes === undefined) return end(stream);
          stream.respond({ ":status": 200, "content-type": typeOf(way) });
          if (bytes === 0) end(stream);
          else stream.write(MESSAGES.subarray(0, bytes), () => end(stream));
        };
        const answer = await call(cancelTurn, way);
        expect(answer, `${bytes} bytes`).toMatchObject({ code: "Unavailable", hasDetails: true });
      }
    },
  );
});

describe.each([
  ["application/x-ndjson", '{"a":1}\n{"b":2}\n', [8, 16], '"kind":"problem"'],
  ["text/event-stream", "retry: 1\n\ndata: 1\n\n", [10, 19], "event: problem"],
])("a stream of the home's in %s", (type, text, boundaries, problem) => {
  it.each(ENDS)(
    "that %s at any byte ends behind a whole line, and can be gone on with",
    async (_how, end) => {
      for (let bytes = 1; bytes <= text.length; bytes++) {
        home.answer = (stream) => {
          stream.respond({ ":status": 200, "content-type": type });
          stream.write(text.slice(0, bytes), () => end(stream));
        };
        const url = `${home.first.url}/v1/turns/${TURN.turnId}/events`;
        const response = await fetch(url, { headers: { accept: type } });
        const received = await response.text();
        const whole = boundaries.findLast((boundary) => boundary <= bytes) ?? 0;
        expect(received.slice(0, whole), `${bytes} bytes`).toBe(text.slice(0, whole));
        expect(received.slice(whole)).toMatch(
          /^(retry: \d+\n)?(event: problem|\{"kind":"problem")/,
        );
        expect(received).toContain(problem);
        expect(received).toContain("STREAM_ENDED");
      }
    },
  );
});
