import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { watchTurns } from "#client";
import type { WatchTurnsResponse } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { type Cut, startCuttingProxy } from "../../src/conformance/cutting-proxy.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { changeText, TurnWatcher } from "../support/turn-watcher.ts";
import { AT_ONCE, type CutServer, startCutServer, WAYS } from "./cut-server.ts";

const TURNS = 12;
const SOME = WAYS.filter(({ name }) => !name.includes("JSON"));

let cuts: readonly Cut[] = [];
let firstConnection = 0;
let behind: CutServer;
/** All that is told from the first change on. */
let whole: string[] = [];
beforeAll(async () => {
  behind = await startCutServer((connection) => cuts[connection - firstConnection]);
  using direct = connect(behind.server.url);
  const { client } = direct;
  for (let n = 0; n < TURNS; n++) await collect(client.runTurn({ prompt: `say ${n}` }));
  using watcher = new TurnWatcher(client, { afterCursor: 1n });
  await watcher.caughtUp();
  whole = watcher.changes;
  expect(whole).toHaveLength(2 * TURNS + 1);
});
afterAll(() => behind?.[Symbol.asyncDispose]());

describe.each(SOME)("wherever $name is cut, who watches all turns", ({ connect: connectBy }) => {
  it("is told each change once and in order", async () => {
    const afterBytes = fc.integer({ min: 0, max: 4000 });
    const cut = fc.record({ afterBytes, ending: fc.constantFrom("FIN" as const, "RST" as const) });
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { maxLength: 8 }), async (next) => {
        behind.proxy.cut("RST");
        firstConnection = behind.proxy.connections;
        cuts = next;
        using connection = connectBy(behind.proxy.url);
        const told: string[] = [];
        const options = { backOff: AT_ONCE };
        for await (const message of watchTurns(connection.client, { afterCursor: 1n }, options)) {
          told.push(...[changeText(message) ?? []].flat());
          if (message.caughtUp) break;
        }
        expect(told).toEqual(whole);
      }),
      { numRuns: 15 },
    );
  });
});

describe("who watches all turns", () => {
  it("misses nothing while nobody is there, where nothing had happened before", async () => {
    await using fresh = await startCutServer();
    const { server, proxy } = fresh;
    using connection = connect(proxy.url);
    using direct = connect(server.url);
    const told: string[] = [];
    for await (const message of watchTurns(connection.client, {}, { backOff: AT_ONCE })) {
      told.push(...[changeText(message) ?? []].flat());
      if (message.caughtUp) {
        proxy.cut("RST");
        await collect(direct.client.runTurn({ prompt: "say unseen" }));
      }
      if (told.length === 3) break;
    }
    expect(told.map((text) => text.split(" ")[0])).toEqual(["caught", "started", "ended"]);
  });

  it("is told each change once over a server that is killed and one that drains", async () => {
    await using cleanup = new AsyncDisposableStack();
    const proxy = cleanup.use(await startCuttingProxy());
    const settings = { BREAKGLASS_ALLOWED_HOSTS: proxy.host };
    const { variables } = cleanup.use(await createTestEnvironment(settings));
    let server = cleanup.use(await startServeProcess(variables));
    proxy.forwardTo(server.url);
    const restart = async (signal: NodeJS.Signals) => {
      await server.end(signal);
      server = cleanup.use(await startServeProcess(variables));
      proxy.forwardTo(server.url);
    };
    const connection = cleanup.use(connect(proxy.url));
    const told: WatchTurnsResponse[] = [];
    const ends = () => told.filter(({ change }) => change.case === "turnEnded").length;
    const left = new AbortController();
    const options = { backOff: AT_ONCE, signal: left.signal };
    const watching = (async () => {
      for await (const message of watchTurns(connection.client, {}, options)) {
        told.push(message);
        if (ends() === 4) break;
      }
    })();
    const runInServer = async (prompt: string) => {
      using direct = connect(server.url);
      const stream = direct.client.runTurn({ prompt });
      for await (const { event } of stream) if (event?.sequence === 3) break;
    };
    try {
      await runInServer(script("many 5"));
      await runInServer(script("many 5", "hang"));
      await restart("SIGKILL");
      await runInServer(script("many 5", "hang"));
      await restart("SIGTERM");
      await runInServer(script("many 5"));
      await watching;
    } finally {
      left.abort();
    }
    using direct = connect(server.url);
    using again = new TurnWatcher(direct.client, { afterCursor: 1n });
    await again.caughtUp();
    const changes = told.flatMap((message) => changeText(message) ?? []);
    const withoutSigns = (all: readonly string[]) => all.filter((text) => text !== "caught up");
    expect(withoutSigns(changes)).toEqual(withoutSigns(again.changes));
    const states = again.changes.filter((text) => text.startsWith("ended"));
    expect(states.map((text) => text.split(" ")[2])).toEqual([
      ...["SUCCEEDED", "LOST", "LOST", "SUCCEEDED"],
    ]);
  });
});
