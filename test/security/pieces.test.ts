import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { cutAt, type Ending, everyByte, heldConnections, RawClient } from "./raw-client.ts";
import {
  callsAbout,
  enveloped,
  fields,
  frame,
  http1Bytes,
  http2Bytes,
  PREFACE,
  pathOf,
} from "./raw-requests.ts";
import { startWitness } from "./witness.ts";

const PROMPT_MS = 5000;
const LANES = 20;
/** Said by the turn that is asked for, and in its prompt. */
const SAID = "a-word-of-this-turn";

const VERSIONS = { "HTTP/1.1": http1Bytes, "HTTP/2": http2Bytes };

describe("a request in pieces", () => {
  let server: TestServer;
  let turnId: string;
  let sessionId: string;
  beforeAll(async () => {
    server = await startTestServer({ BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "1" });
    using connection = connect(server.url);
    const events = await collect(connection.client.runTurn({ prompt: `say ${SAID}` }));
    ({ turnId, sessionId } = events[0]!);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Every call over every version of HTTP that it exists in, as bytes. */
  function requests(divide: (body: Buffer) => Uint8Array[], hasTrailers: boolean) {
    const { host } = new URL(server.url);
    return callsAbout(turnId).flatMap(({ name, body, ...call }) =>
      Object.entries(VERSIONS)
        .filter(([version]) => version === "HTTP/2" || !name.startsWith("gRPC,"))
        .map(([version, bytesOf]) => ({
          name: `${name}, over ${version}`,
          bytes: bytesOf({ ...call, host, body: divide(body), hasTrailers }),
        })),
    );
  }

  async function inLanes<T>(tries: T[], run: (one: T) => Promise<string[]>): Promise<string[]> {
    const faults: string[] = [];
    const lanes = Array.from({ length: LANES }, async () => {
      for (let one = tries.pop(); one !== undefined; one = tries.pop())
        faults.push(...(await run(one)));
    });
    await Promise.all(lanes);
    return faults;
  }

  async function faultsOf(name: string, pieces: readonly Uint8Array[]): Promise<string[]> {
    using client = await RawClient.open(server.url);
    await client.write(pieces);
    const isSaid = (text: string) => text.includes(SAID);
    const text = await eventually(() => client.text, isSaid, PROMPT_MS);
    return isSaid(text) ? [] : [`${name}, first ${pieces[0]!.length}: ${JSON.stringify(text)}`];
  }

  it("is answered rightly wherever its bytes are cut, and others are meanwhile", async () => {
    await using witness = startWitness(server.url);
    // Only calls that do not stream: of those only one may be open at a time.
    const tries = requests((body) => [body], false)
      .filter(({ name }) => name.includes("GetTurn"))
      .flatMap(({ name, bytes }) =>
        [...bytes.keys()].map((at) => ({ name, pieces: cutAt(bytes, [at]) })),
      );
    expect(tries.length).toBeGreaterThan(1500);
    expect(await inLanes(tries, ({ name, pieces }) => faultsOf(name, pieces))).toEqual([]);
    expect(witness.faults).toEqual([]);
    expect(witness.longestMs).toBeLessThan(PROMPT_MS);
  });

  it.each([
    ["in one chunk or frame", (body: Buffer) => [body], false],
    ["in chunks or frames of a byte", everyByte, false],
    ["in chunks or frames of a byte, with trailers", everyByte, true],
  ])(
    "is answered rightly byte by byte, %s, whatever is called",
    async (_how, divide, hasTrailers) => {
      for (const { name, bytes } of requests(divide, hasTrailers)) {
        const faults = await eventually(
          () => faultsOf(name, everyByte(bytes)),
          // The place of the call before is free as soon as that is known to be over.
          (found) => !found.some((fault) => fault.includes("TOO_MANY")),
        );
        expect(faults).toEqual([]);
      }
    },
  );

  it.each<Ending>(["FIN", "RST"])(
    "that ends by %s wherever it does leaves nothing behind",
    async (ending) => {
      const tries = requests(everyByte, true).flatMap(({ name, bytes }) =>
        [...bytes.keys()]
          .filter((at) => at % 7 === 1)
          .map((at) => ({ name, bytes: bytes.subarray(0, at) })),
      );
      const faults = await inLanes(tries, async ({ name, bytes }) => {
        using client = await RawClient.open(server.url);
        await client.write([bytes], ending);
        if (ending === "RST") return [];
        const { end } = await client.answer(PROMPT_MS);
        return end === undefined ? [`${name}, after ${bytes.length}: the connection stays`] : [];
      });
      expect(faults).toEqual([]);
      expect(
        await eventually(
          () => heldConnections(server.url),
          (held) => held === 0,
        ),
      ).toBe(0);
      using connection = connect(server.url);
      const attach = () => collect(connection.client.attachTurn({ turnId })).catch(() => []);
      const events = await eventually(attach, (found) => found.length > 0);
      expect(events.length).toBeGreaterThan(0);
    },
  );

  it("whose stream is reset without an error in the middle is not taken for whole", async () => {
    const { host } = new URL(server.url);
    // A whole message to whoever takes the end of what came for the end of what was sent.
    const body = Buffer.concat([Buffer.of(0x0a, sessionId.length), Buffer.from(sessionId)]);
    const head = fields({
      ...{
        ":method": "POST",
        ":scheme": "http",
        ":path": pathOf("DeleteSession"),
        ":authority": host,
      },
      "content-type": "application/proto",
    });
    using client = await RawClient.open(server.url);
    const reset = frame(0x3, 0, 1, Buffer.alloc(4, 0));
    await client.write(
      [PREFACE, frame(0x1, 0x4, 1, head), frame(0x0, 0, 1, body), reset],
      "none",
      50,
    );
    // The server has dealt with it once it answers what came behind it.
    const ping = frame(0x6, 0, 0, Buffer.from("answered"));
    await client.write([ping]);
    await eventually(
      () => client.text,
      (text) => text.includes("answered"),
    );
    using connection = connect(server.url);
    const found = await connection.client.getSession({ sessionId });
    expect(found.session?.sessionId).toBe(sessionId);
  });

  it("whose body comes in sixty thousand pieces holds nobody up, whatever the version", async () => {
    await using witness = startWitness(server.url);
    const { host } = new URL(server.url);
    // Below the window that HTTP/2 begins with: who calls from here is asked about before more is taken.
    const prompt = `say ${SAID}${"x".repeat(60_000)}`;
    const body = everyByte(enveloped(Buffer.from(JSON.stringify({ prompt }))));
    const call = { host, method: "RunTurn", contentType: "application/connect+json", body };
    for (const bytesOf of Object.values(VERSIONS)) {
      expect(await faultsOf("many pieces", [bytesOf(call)])).toEqual([]);
    }
    expect(witness.faults).toEqual([]);
    expect(witness.longestMs).toBeLessThan(PROMPT_MS);
  });
});
