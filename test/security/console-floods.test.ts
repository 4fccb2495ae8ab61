import { readdirSync, readFileSync, statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { overHttp1 } from "../http/console-requests.ts";
import { CONSOLE, haveConsole } from "../support/built-console.ts";
import { collect, valuesOf } from "../support/events.ts";
import { externalBytes, startWeighedServer } from "../support/external-memory.ts";
import { eventually } from "../support/processes.ts";
import { SOURCE_PROGRAM } from "../support/program.ts";
import type { ServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { tokenLine } from "../support/test-server.ts";
import { RawClient } from "./raw-client.ts";

const MIB = 1024 * 1024;
/** The server's own, which does not grow by who reads. */
const KEPT_BYTES = 32 * MIB;
const FLOOD = 5000;
const SLOW_CONNECTIONS = 150;
const SLOW_STREAMS = 200;

const cleanup = new AsyncDisposableStack();
let server: ServeProcess;
let root: string;
/** The largest file of the page. */
let asset: string;
beforeAll(async () => {
  haveConsole();
  const folder = join(CONSOLE, "assets");
  const sizeOf = (name: string) => statSync(join(folder, name)).size;
  asset = readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .reduce((one, other) => (sizeOf(other) > sizeOf(one) ? other : one));
  const environment = cleanup.use(await createTestEnvironment());
  root = environment.root;
  const tokens = join(root, "tokens");
  await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
  const variables = { ...environment.variables, BREAKGLASS_TOKENS_FILE: tokens };
  server = cleanup.use(await startWeighedServer(root, variables, SOURCE_PROGRAM));
});
afterAll(() => cleanup.disposeAsync());

/** What somebody does who has nothing to do with the flood: a turn, a list, the page. */
async function beHonest(): Promise<void> {
  const connection = openGrpcConnection(server.url, "secret");
  try {
    const client = createBreakglassClient(connection.transport);
    const events = await collect(client.runTurn({ prompt: "say here" }));
    expect(valuesOf(events, "text")).toMatchObject([{ text: "here" }]);
    expect((await client.listTurns({})).turns.length).toBeGreaterThan(0);
  } finally {
    connection.close();
  }
  const page = await overHttp1(server.url, "/");
  expect([page.status, page.body.length > 0]).toEqual([200, true]);
  const { status, body } = await overHttp1(server.url, `/assets/${asset}`);
  expect(status).toBe(200);
  expect(body.equals(readFileSync(join(CONSOLE, "assets", asset)))).toBe(true);
}

/** What the server keeps outside its heap, as it is now. */
async function keptBytes(): Promise<number> {
  // What it told before would be taken for it.
  await rm(join(root, "external"), { force: true });
  return await eventually(() => externalBytes(server, root), Number.isFinite);
}

describe("an honest client", () => {
  it("is answered while somebody asks for the page by the thousands", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    let isOver = false;
    let answered = 0;
    const ask = () =>
      new Promise<void>((resolve) => {
        request(new URL("/", server.url), { agent }, (response) => {
          response.resume().on("close", resolve);
          answered++;
        })
          .on("error", () => resolve())
          .end();
      });
    const flood = Array.from({ length: 50 }, async () => {
      while (!isOver) await ask();
    });
    await eventually(
      () => answered,
      (count) => count > 200,
    );
    for (let n = 0; n < 5; n++) await beHonest();
    await eventually(
      () => answered,
      (count) => count >= FLOOD,
      50_000,
    );
    await beHonest();
    isOver = true;
    await Promise.all(flood);
    agent.destroy();
    expect(await keptBytes()).toBeLessThan(KEPT_BYTES);
  });

  it("is answered while hundreds ask for all of it and read nothing, of which nothing is kept", async () => {
    const { host } = new URL(server.url);
    const get = `GET /assets/${asset} HTTP/1.1\r\nhost: ${host}\r\naccept-encoding: identity\r\n\r\n`;
    await using attack = new AsyncDisposableStack();
    for (let n = 0; n < SLOW_CONNECTIONS; n++) {
      const client = attack.use(await RawClient.open(server.url));
      client.socket.pause();
      client.socket.write(get.repeat(8));
    }
    const sessions: ClientHttp2Session[] = [];
    for (let n = 0; n < 4; n++) {
      const session = connectHttp2(server.url).on("error", () => {});
      attack.defer(() => session.destroy());
      sessions.push(session);
    }
    for (const session of sessions) {
      for (let n = 0; n < SLOW_STREAMS; n++) {
        session
          .request({ ":path": `/assets/${asset}` })
          .on("error", () => {})
          .pause();
      }
    }
    for (let n = 0; n < 3; n++) await beHonest();
    expect(await keptBytes()).toBeLessThan(KEPT_BYTES);
    await beHonest();
  });
});
