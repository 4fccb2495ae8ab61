import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { LookupFunction } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { PROTOCOLS, type TestClient } from "../support/protocols.ts";
import {
  PROXY_HOST,
  type ProxyFiles,
  type RunningProxy,
  startBareNginx,
  startHaproxy,
  startNginx,
} from "../support/proxies.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

/** Why the tests of a program are left out; empty: they are not. Where CI runs, a program that is missing is a failure. */
function lackOf(program: string): string {
  const isThere = spawnSync(program, ["-v"], { stdio: "ignore" }).error === undefined;
  return isThere || process.env.CI
    ? ""
    : ` (left out: no ${program} here; apt-get install ${program})`;
}

const PROXIES = [
  { name: "nginx", lack: lackOf("nginx"), start: startNginx },
  { name: "HAProxy", lack: lackOf("haproxy"), start: startHaproxy },
];
/** Whatever is asked for. */
const lookup: LookupFunction = (_host, { all }, found) =>
  all ? found(null, [{ address: "127.0.0.1", family: 4 }]) : found(null, "127.0.0.1", 4);

let server: TestServer;
let files: ProxyFiles;
let ca: Buffer;
const cleanup = new AsyncDisposableStack();
beforeAll(async () => {
  server = cleanup.use(
    await startTestServer({
      BREAKGLASS_ALLOWED_HOSTS: PROXY_HOST,
      BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "2",
    }),
  );
  const made = makeCertificate(server.root, PROXY_HOST);
  const [cert, key] = [made.BREAKGLASS_TLS_CERT!, made.BREAKGLASS_TLS_KEY!];
  const both = join(server.root, "both.pem");
  ca = readFileSync(cert);
  writeFileSync(both, Buffer.concat([ca, readFileSync(key)]));
  files = { cert, key, both };
});
afterAll(() => cleanup.disposeAsync());

/** Fails, for want of time, where a text is held back until a later one comes. */
async function expectTextsAtOnce({ client }: TestClient): Promise<void> {
  const gates = [createGate(server.root), createGate(server.root)];
  const prompt = script("say one", gates[0]!.step, "say two", gates[1]!.step, "say three");
  await using reader = new EventReader(client.runTurn({ prompt }));
  for (const gate of gates) {
    await reader.until("text");
    gate.open();
  }
  const events = await reader.rest();
  expect(cases(events)).toEqual(["checkpoint", "session", "text", "text", "text", "result"]);
}

describe.each(PROXIES)("behind $name as it is configured in deploy/$lack", ({ lack, start }) => {
  let proxy: RunningProxy;
  let url: string;
  beforeAll(async () => {
    if (lack !== "") return;
    proxy = await start(server.url, files);
    url = `https://${PROXY_HOST}:${proxy.port}`;
  });
  afterAll(() => proxy?.[Symbol.asyncDispose]());

  describe.skipIf(lack !== "").each(PROTOCOLS)("over $name", (protocol) => {
    const connect = () => protocol.connect(url, {}, { ca, lookup });

    it("each text comes as it is written", async () => {
      using connection = connect();
      await expectTextsAtOnce(connection);
    }, 20_000);

    it("a refusal comes with its reason", async () => {
      using connection = connect();
      const sessionId = crypto.randomUUID();
      expect(await refusalOf(connection.client.getSession({ sessionId }))).toMatchObject({
        code: "NotFound",
        reason: "NOT_FOUND",
      });
      const turnId = crypto.randomUUID();
      expect(await refusalOf(connection.client.attachTurn({ turnId }))).toMatchObject({
        code: "NotFound",
        reason: "NOT_FOUND",
      });
    });

    it("the largest request gets through", async () => {
      using connection = connect();
      const data = new Uint8Array(8 * 1024 * 1024 - 1);
      const attachments = [{ name: "core", mediaType: "application/octet-stream", data }];
      const prompt = `say done\n#${"x".repeat(2 * 1024 * 1024 - 10)}`;
      const events = connection.client.runTurn({ prompt, attachments });
      await using reader = new EventReader(events);
      await reader.until("result");
    });

    it("a reader that leaves is gone from the server", async () => {
      using connection = connect();
      const gate = createGate(server.root);
      const run = new EventReader(connection.client.runTurn({ prompt: gate.step }));
      const { turnId } = await run.until("checkpoint");
      /** Takes one of the two places of the turn's readers, where one is free, until it is left. */
      const attach = async () => {
        const leave = new AbortController();
        const { signal } = leave;
        const reader = new EventReader(connection.client.attachTurn({ turnId }, { signal }));
        const isTaken = await reader.until("checkpoint").then(
          () => true,
          () => false,
        );
        return { isTaken, leave: () => leave.abort() };
      };
      const second = await attach();
      expect([second.isTaken, (await attach()).isTaken]).toEqual([true, false]);
      second.leave();
      const third = await eventually(attach, ({ isTaken }) => isTaken);
      expect(third.isTaken).toBe(true);
      third.leave();
      gate.open();
      await run.rest();
    });
  });

  it.skipIf(lack !== "")(
    "a silent stream is kept, for the server says something within the time-outs",
    async () => {
      // In place of a minute, which would pass the 15 s of the server by more.
      const short = start === startNginx ? /read_timeout 60s/g : /60s/g;
      await using quick = await start(server.url, files, [
        [short, start === startNginx ? "read_timeout 18s" : "18s"],
      ]);
      const away = `https://${PROXY_HOST}:${quick.port}`;
      using connection = PROTOCOLS[0]!.connect(away, {}, { ca, lookup });
      const gate = createGate(server.root);
      await using reader = new EventReader(connection.client.runTurn({ prompt: gate.step }));
      await reader.until("session");
      await reader.until("checkpoint");
      await reader.until("checkpoint");
      gate.open();
      await reader.until("result");
    },
  );
});

const lack = lackOf("nginx");
describe.skipIf(lack !== "")(`behind nginx with nothing but proxy_pass${lack}`, () => {
  let nginx: RunningProxy;
  beforeAll(async () => {
    nginx = await startBareNginx(server.url);
  });
  afterAll(() => nginx?.[Symbol.asyncDispose]());

  it.each(PROTOCOLS.filter(({ name }) => name.endsWith("HTTP/1.1")))(
    "each text comes over $name as it is written",
    async (protocol) => {
      using connection = protocol.connect(`http://127.0.0.1:${nginx.port}`);
      await expectTextsAtOnce(connection);
    },
    20_000,
  );
});
