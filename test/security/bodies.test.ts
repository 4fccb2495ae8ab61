import { createServer, type Server } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  createServer as createHttp2Server,
  type Http2Server,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BodyBudget } from "../../src/edge/body-budget.ts";
import type { HttpRequest } from "../../src/edge/http.ts";
import { RequestBodies, type RequestBody } from "../../src/edge/request-body.ts";
import { ClientGone } from "../../src/edge/stream-ending.ts";
import { openHttp2 } from "../edge/raw-streams.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";
import { RawClient } from "./raw-client.ts";
import { fields, frame, PREFACE, pathOf } from "./raw-requests.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("BodyBudget", () => {
  it("keeps room for small bodies where large ones hold all the rest", () => {
    const budget = new BodyBudget(10 * MIB);
    const large = budget.open();
    while (large.take(64 * KIB));
    expect(budget.taken).toBeGreaterThan(9 * MIB);
    const small = Array.from({ length: 100 }, () => budget.open());
    for (const share of small) expect(share.take(4 * KIB)).toBe(true);
    expect(small[0]!.take(64 * KIB)).toBe(false);
    for (const share of [large, ...small]) share.release();
    expect(budget.taken).toBe(0);
  });

  it("gives small bodies of what is large ones' where there are too many of them, and no more than there is", () => {
    const budget = new BodyBudget(MIB);
    const shares = Array.from({ length: 10_000 }, () => budget.open());
    const got = shares.filter((share) => share.take(4 * KIB)).length;
    expect(got).toBe((9 * MIB) / (4 * KIB));
    for (const share of shares) {
      share.release();
      share.release();
      expect(share.take(1)).toBe(false);
    }
    expect(budget.taken).toBe(0);
  });
});

describe.each([
  ["HTTP/1.1", () => createServer()],
  ["HTTP/2", () => createHttp2Server()],
])("the bodies of requests over %s", (version, create) => {
  let server: Server | Http2Server;
  let url: string;
  let next: (request: HttpRequest) => void;
  beforeEach(async () => {
    server = create();
    server.on(
      "request",
      (request: HttpRequest, response: { on: (name: string, hear: () => void) => void }) => {
        response.on("error", () => {});
        next(request);
      },
    );
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => void server.close());

  /** Begins a request with a body, and answers it with what is left to say, and what can be done with it. */
  async function begin() {
    const arrived = new Promise<HttpRequest>((resolve) => {
      next = resolve;
    });
    if (version === "HTTP/2") {
      const session = openHttp2(url);
      const stream: ClientHttp2Stream = session.request({ ":method": "POST" });
      stream.on("error", () => {});
      stream.write("a");
      return {
        request: await arrived,
        write: (bytes: string | Uint8Array) => stream.write(bytes),
        end: () => stream.end(),
        // The client's own way to reset a stream says first that the body has ended.
        reset: () => session.destroy(),
        close: () => session.destroy(),
      };
    }
    const client = await RawClient.open(url);
    const write = (bytes: string | Uint8Array) => {
      client.socket.write(`${bytes.length.toString(16)}\r\n`);
      client.socket.write(bytes);
      client.socket.write("\r\n");
    };
    client.socket.write("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    write("a");
    return {
      request: await arrived,
      write,
      end: () => client.socket.write("0\r\n\r\n"),
      reset: () => client.socket.resetAndDestroy(),
      close: () => client.socket.destroy(),
    };
  }

  const read = async (body: RequestBody) => Buffer.concat(await Array.fromAsync(body));

  it("are read whole, in blocks, and counted until they are released", async () => {
    const bodies = new RequestBodies({ withinMs: 10_000, budgetBytes: 10 * MIB });
    const sent = await begin();
    const body = bodies.of(sent.request);
    expect(bodies.heldBytes).toBe(0);
    const reading = Array.fromAsync(body);
    for (let piece = 0; piece < 1000; piece++) sent.write("b".repeat(100));
    await eventually(
      () => bodies.heldBytes,
      (held) => held > 100_000,
    );
    expect(bodies.heldBytes).toBeGreaterThan(100_000);
    expect(bodies.heldBytes).toBeLessThan(200_000);
    sent.end();
    const blocks = await reading;
    expect(Buffer.concat(blocks).toString()).toBe(`a${"b".repeat(100_000)}`);
    expect(blocks.length).toBeLessThan(6);
    body.release();
    expect(bodies.heldBytes).toBe(0);
    sent.close();
  });

  it("end with a refusal where they do not end in time, and hold nothing then", async () => {
    const bodies = new RequestBodies({ withinMs: 300, budgetBytes: MIB });
    const sent = await begin();
    const body = bodies.of(sent.request);
    const sending = setInterval(() => sent.write("a"), 20);
    await expect(read(body)).rejects.toMatchObject({ name: "Refusal", reason: "BODY_TIMEOUT" });
    clearInterval(sending);
    expect(bodies.heldBytes).toBe(0);
    sent.close();
  });

  it("are refused where all of them hold too much, and small ones are read all the same", async () => {
    const bodies = new RequestBodies({ withinMs: 10_000, budgetBytes: MIB });
    const [large, more] = [await begin(), await begin()];
    const first = read(bodies.of(large.request)).catch((error: unknown) => error);
    large.write(Buffer.alloc(MIB - 100 * KIB));
    await eventually(
      () => bodies.heldBytes,
      (held) => held > MIB - 128 * KIB,
    );
    const second = read(bodies.of(more.request));
    more.write(Buffer.alloc(MIB));
    await expect(second).rejects.toMatchObject({
      reason: "TOO_MANY_REQUESTS",
      details: { retryAfterMs: expect.any(Number) },
    });
    const small = await begin();
    const last = bodies.of(small.request);
    const third = read(last);
    small.end();
    expect(String(await third)).toBe("a");
    last.release();
    large.reset();
    expect(await first).toBeInstanceOf(ClientGone);
    expect(
      await eventually(
        () => bodies.heldBytes,
        (held) => held === 0,
      ),
    ).toBe(0);
    for (const sent of [large, more, small]) sent.close();
  });

  it("are given up, and hold nothing, where their client is gone", async () => {
    const bodies = new RequestBodies({ withinMs: 10_000, budgetBytes: MIB });
    const sent = await begin();
    const reading = read(bodies.of(sent.request)).catch((error: unknown) => error);
    sent.write("b".repeat(100 * KIB));
    await eventually(
      () => bodies.heldBytes,
      (held) => held > 80 * KIB,
    );
    sent.reset();
    expect(await reading).toBeInstanceOf(ClientGone);
    expect(bodies.heldBytes).toBe(0);
    sent.close();
  });

  it.skipIf(version === "HTTP/1.1").each([8, 0])(
    "are given up where their stream is reset with the code %d",
    async (code) => {
      const bodies = new RequestBodies({ withinMs: 10_000, budgetBytes: MIB });
      using client = await RawClient.open(url);
      const arrived = new Promise<HttpRequest>((resolve) => {
        next = resolve;
      });
      const head = fields({
        ":method": "POST",
        ":scheme": "http",
        ":path": "/",
        ":authority": "a",
      });
      const body = frame(0x0, 0, 1, Buffer.alloc(16_000));
      await client.write([PREFACE, frame(0x1, 0x4, 1, head), body, body]);
      const reading = read(bodies.of(await arrived)).catch((error: unknown) => error);
      await eventually(
        () => bodies.heldBytes,
        (held) => held > 32_000,
      );
      await client.write([frame(0x3, 0, 1, Buffer.of(0, 0, 0, code))]);
      expect(await reading).toBeInstanceOf(ClientGone);
      expect(bodies.heldBytes).toBe(0);
    },
  );

  it("hold nothing any more once they are released, read to their end or not", async () => {
    const bodies = new RequestBodies({ withinMs: 10_000, budgetBytes: MIB });
    const sent = await begin();
    const body = bodies.of(sent.request);
    const reading = read(body).catch((error: unknown) => error);
    sent.write("b".repeat(100 * KIB));
    await eventually(
      () => bodies.heldBytes,
      (held) => held > 80 * KIB,
    );
    body.release();
    sent.write("b".repeat(100 * KIB));
    expect(await reading).toBeInstanceOf(ClientGone);
    await delay(50);
    expect(bodies.heldBytes).toBe(0);
    sent.close();
  });
});

describe("a server whose clients leave bodies unfinished", () => {
  it("refuses what there is no room for in each protocol, and answers small requests", async () => {
    await using server = await startTestServer();
    const session = openHttp2(server.url);
    await fillBudget(session);
    const large = { name: "large.txt", mediaType: "text/plain", data: new Uint8Array(5 * MIB) };
    for (const protocol of PROTOCOLS) {
      using connection = protocol.connect(server.url);
      const asked = connection.client.runTurn({ prompt: "say large", attachments: [large] });
      expect(await refusalOf(asked)).toEqual({
        code: "ResourceExhausted",
        reason: "TOO_MANY_REQUESTS",
        domain: "breakglass",
        retryMs: expect.any(Number),
      });
      expect(await collect(connection.client.runTurn({ prompt: "say small" }))).toHaveLength(4);
    }
    session.destroy();
    using connection = connect(server.url);
    const again = () =>
      collect(connection.client.runTurn({ prompt: "say hi", attachments: [large] })).catch(
        () => [],
      );
    expect(await eventually(again, (found) => found.length > 0)).toHaveLength(4);
  });
});

/**
 * Begins bodies until there is no room for another MiB. What is refused gives back what it had, and may be refused later
 * than its client has sent it: there is no room where several in a row find none.
 */
async function fillBudget(session: ClientHttp2Session): Promise<void> {
  for (let large = 0; large < 5; large++) await beginBody(session, 10 * MIB);
  for (let begun = 0, refused = 0; refused < 5; begun++) {
    expect(begun).toBeLessThan(100);
    refused = (await beginBody(session, MIB)) ? 0 : refused + 1;
    await delay(50);
  }
}

/** Sends so much of a body that is larger. False: it was refused. */
function beginBody(session: ClientHttp2Session, bytes: number): Promise<boolean> {
  const stream = session.request({
    ":method": "POST",
    ":path": pathOf("RunTurn"),
    "content-type": "application/grpc",
  });
  const head = Buffer.alloc(5);
  head.writeUInt32BE(11 * MIB, 1);
  stream.on("error", () => {}).write(head);
  return new Promise((resolve) => {
    stream.once("response", () => resolve(false));
    // An answer to what it refused comes before one to what came behind it.
    stream.write(Buffer.alloc(bytes), () => session.ping(() => resolve(true)));
  });
}
