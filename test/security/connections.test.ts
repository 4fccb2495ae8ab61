import { writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openHttp2 } from "../edge/raw-streams.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { makeCertificate } from "./certificate.ts";
import { heldConnections, RawClient } from "./raw-client.ts";
import { fields, frame, PREFACE, pathOf } from "./raw-requests.ts";
import { startWitness } from "./witness.ts";

const KNOWN = { authorization: "Bearer secret" };
/** Ten seconds, and what it takes to be looked at on a busy machine. */
const ENDED_WITHIN_MS = 16_000;
const PROMPT_MS = 5000;

/** A server that knows one token, with that many places. */
async function startServer(settings: Readonly<Record<string, string>> = {}, isTls = false) {
  await using cleanup = new AsyncDisposableStack();
  const environment = cleanup.use(await createTestEnvironment());
  const tokens = join(environment.root, "tokens");
  await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
  const tls = isTls ? makeCertificate(environment.root) : {};
  const all = { BREAKGLASS_TOKENS_FILE: tokens, ...tls, ...settings };
  const server = cleanup.use(await startTestServer(all));
  const owned = cleanup.move();
  return { server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

describe.concurrent("a connection without an admitted request", () => {
  const clear = ({ host }: URL): [string, Buffer[]][] => {
    const head = {
      ":method": "POST",
      ":scheme": "http",
      ":path": pathOf("GetTurn"),
      ":authority": host,
    };
    return [
      ["that says nothing", []],
      ["that says one byte", [Buffer.from("P")]],
      ["whose headers do not end", [Buffer.from(`GET / HTTP/1.1\r\nhost: ${host}\r\nx-a: `)]],
      ["of HTTP/2 without a request", [PREFACE]],
      ["of HTTP/2 whose headers do not end", [PREFACE, frame(0x1, 0, 1, fields(head))]],
      [
        "of HTTP/2 whose request is refused",
        [PREFACE, frame(0x1, 0x4, 1, fields({ ...head, "content-type": "application/grpc" }))],
      ],
    ];
  };

  it("ends after ten seconds, whatever it has said, also in small pieces", async () => {
    await using started = await startServer();
    const { url } = started.server;
    const tries = clear(new URL(url)).map(async ([name, pieces]) => {
      using client = await RawClient.open(url);
      await client.write(pieces);
      return [name, await client.answer(ENDED_WITHIN_MS)] as const;
    });
    const slow = async () => {
      using client = await RawClient.open(url);
      const dripping = setInterval(() => client.socket.write("x"), 200);
      await client.write([Buffer.from("GET / HTTP/1.1\r\nx-a: ")]);
      const answer = await client.answer(ENDED_WITHIN_MS);
      clearInterval(dripping);
      return ["whose headers come byte by byte", answer] as const;
    };
    for (const [name, { end, ms }] of await Promise.all([...tries, slow()])) {
      expect([name, end]).toEqual([name, expect.any(String)]);
      expect(ms, name).toBeGreaterThan(9000);
    }
    await eventually(
      () => heldConnections(url),
      (held) => held === 0,
    );
    const lines = started.server.log.filter((line) => line.includes("connections were closed"));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      closed: { "no admitted request in time": expect.any(Number) },
    });
  });

  it("ends after ten seconds over TLS, in its handshake and behind it", async () => {
    await using started = await startServer({}, true);
    const { url } = started.server;
    const ways = [undefined, ["h2"], ["http/1.1"]];
    const tries = ways.map(async (alpn) => {
      using client = await RawClient.open(url, alpn === undefined ? {} : { alpn });
      return await client.answer(ENDED_WITHIN_MS);
    });
    const ends = await Promise.all(tries);
    expect(ends.map(({ end }) => end)).toEqual(["FIN", "FIN", "FIN"]);
    for (const { ms } of ends) expect(ms).toBeGreaterThan(9000);
    expect(
      await eventually(
        () => heldConnections(url),
        (held) => held === 0,
      ),
    ).toBe(0);
  });

  it("is let be once one was admitted", async () => {
    await using started = await startServer();
    const { url } = started.server;
    const session = openHttp2(url);
    const asked = session.request({
      ...{ ":method": "POST", ":path": pathOf("ListSessions"), "content-type": "application/json" },
      ...KNOWN,
    });
    asked.end("{}");
    await new Promise((resolve) => asked.once("close", resolve).resume());
    await delay(13_000);
    expect(session.closed).toBe(false);
    session.destroy();
  });
});

describe("the places of connections", () => {
  it("are a quarter for those without an admitted request: the first goes, and whoever is known gets in", async () => {
    await using started = await startServer({ BREAKGLASS_MAX_CONNECTIONS: "40" });
    const { url } = started.server;
    await using witness = startWitness(url, KNOWN);
    await eventually(
      () => witness.answers,
      (answers) => answers > 0,
    );
    const strangers: RawClient[] = [];
    for (let opened = 0; opened < 200; opened++) {
      strangers.push(await RawClient.open(url));
      if (opened % 20 === 0) {
        const session = connectHttp2(url);
        const asked = session.request({
          ...{
            ":method": "POST",
            ":path": pathOf("ListSessions"),
            "content-type": "application/json",
          },
          ...KNOWN,
        });
        asked.end("{}");
        const status = await new Promise((resolve, reject) => {
          asked.once("response", (headers) => resolve(headers[":status"])).once("error", reject);
        });
        expect(status).toBe(200);
        session.destroy();
      }
    }
    const open = () => strangers.filter(({ socket }) => !socket.closed);
    await eventually(open, ({ length }) => length <= 10, PROMPT_MS);
    expect(open()).toEqual(strangers.slice(-10));
    expect(witness.faults).toEqual([]);
    const lines = started.server.log.filter((line) => line.includes("connections were closed"));
    expect(lines.length).toBe(1);
    for (const client of strangers) client[Symbol.dispose]();
  });

  it("are a half for one peer, and others get the rest", async () => {
    await using started = await startServer({ BREAKGLASS_MAX_CONNECTIONS: "20" });
    const { url } = started.server;
    const ask = async (localAddress: string) => {
      const client = await RawClient.open(url, { localAddress });
      const { host } = new URL(url);
      const head = `POST ${pathOf("ListSessions")} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
      await client.write([
        Buffer.from(`${head}authorization: ${KNOWN.authorization}\r\ncontent-length: 2\r\n\r\n{}`),
      ]);
      const isOver = () => client.text.includes("HTTP/1.1 200") || client.socket.closed;
      await eventually(isOver, (over) => over, PROMPT_MS);
      return { client, isAnswered: client.text.includes("HTTP/1.1 200") };
    };
    // Each is answered at once, but its connection is kept alive.
    const all = [];
    for (let opened = 0; opened < 15; opened++) all.push(await ask("127.0.0.2"));
    expect(all.map(({ isAnswered }) => isAnswered)).toEqual([
      ...new Array<boolean>(10).fill(true),
      ...new Array<boolean>(5).fill(false),
    ]);
    const other = await ask("127.0.0.3");
    expect(other.isAnswered).toBe(true);
    for (const { client } of [...all, other]) client[Symbol.dispose]();
    await eventually(
      () => heldConnections(url),
      (held) => held === 0,
    );
    const again = await ask("127.0.0.2");
    expect(again.isAnswered).toBe(true);
    again.client[Symbol.dispose]();
  });
});
