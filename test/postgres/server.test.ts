import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { type Cluster, findPostgres, startCluster, USER } from "./cluster.ts";
import { makeDatabase, without } from "./databases.ts";

const cluster = inject("cluster");

describe.skipIf(cluster === undefined)(`a server on PostgreSQL${without(cluster)}`, () => {
  it("runs a turn, and has everything as it was when it starts again", async () => {
    await using database = await makeDatabase(cluster!);
    await using server = await startTestServer({ BREAKGLASS_STORE: database.url });
    const run = async (prompt: string, sessionId = "") => {
      using connection = connect(server.url);
      return await collect(connection.client.runTurn({ prompt, sessionId }));
    };
    const first = await run(script("many 50", "big 2000000"));
    expect(first.at(-1)?.kind.case).toBe("result");
    const { sessionId, turnId } = first[0]!;
    await server.restart();
    using connection = connect(server.url);
    const again = await collect(connection.client.attachTurn({ turnId }));
    expect(bytesOf(durable(again))).toEqual(bytesOf(durable(first)));
    const next = await run("say hi", sessionId);
    expect(valuesOf(next, "session")[0]?.resumed).toBe(true);
    expect(next.at(-1)?.kind.case).toBe("result");
  });

  it("that was killed in a turn ends it LOST when it is back, with all that was seen, and goes on", async () => {
    await using database = await makeDatabase(cluster!);
    await using environment = await createTestEnvironment({ BREAKGLASS_STORE: database.url });
    await using first = await startServeProcess(environment.variables);
    using before = connect(first.url);
    const prompt = script("many 20", "hang");
    await using reader = new EventReader(before.client.runTurn({ prompt }));
    while (reader.seen.at(-1)?.sequence !== 21) await reader.until("text");
    const { turnId, sessionId } = reader.seen[0]!;
    await first.end("SIGKILL");

    await using second = await startServeProcess(environment.variables);
    using after = connect(second.url);
    const events = durable(await collect(after.client.attachTurn({ turnId })));
    expect(bytesOf(events.slice(0, -1))).toEqual(bytesOf(durable(reader.seen)));
    expect(events.at(-1)?.kind).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.SERVER_RESTARTED },
    });
    const { turn } = await after.client.getTurn({ turnId });
    expect(turn).toMatchObject({ state: TurnState.LOST, lastSequence: 22 });
    const next = await collect(after.client.runTurn({ sessionId, prompt: "say back" }));
    expect(next.at(-1)?.kind.case).toBe("result");
  });

  it("goes on where a newer one brings the schema forward under it", async () => {
    await using database = await makeDatabase(cluster!);
    await using server = await startTestServer({ BREAKGLASS_STORE: database.url });
    using connection = connect(server.url);
    const use = async (sessionId = "") => {
      const events = await collect(connection.client.runTurn({ prompt: "say hi", sessionId }));
      const { turnId, sessionId: id } = events[0]!;
      await connection.client.getTurn({ turnId });
      await connection.client.getSession({ sessionId: id });
      await connection.client.listTurns({ sessionId: id });
      await connection.client.listSessions({});
      expect(events.at(-1)?.kind.case).toBe("result");
      return id;
    };
    const id = await use();
    for (const table of ["sessions", "turns"])
      await database.query(`ALTER TABLE ${table} ADD COLUMN later text NOT NULL DEFAULT ''`);
    expect(await use(id)).toBe(id);
  });

  it("removes turns at their age", async () => {
    await using database = await makeDatabase(cluster!);
    const settings = { BREAKGLASS_STORE: database.url, BREAKGLASS_RETENTION_SECONDS: "1" };
    await using server = await startTestServer(settings);
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say hi" }));
    const left = async () => (await connection.client.listTurns({})).turns.length;
    expect(await eventually(left, (count) => count === 0, 30_000)).toBe(0);
  });

  it("keeps what its agents record of conversations behind each turn, as long as the session is there", async () => {
    await using database = await makeDatabase(cluster!);
    await using server = await startTestServer({ BREAKGLASS_STORE: database.url });
    using connection = connect(server.url);
    const kept = async () => {
      const rows = await database.query(
        "SELECT conversation_id, (files::json->0->>'bytes')::int AS bytes FROM transcript_heads",
      );
      return rows as { conversation_id: string; bytes: number }[];
    };
    const first = await collect(connection.client.runTurn({ prompt: "say hi" }));
    const { sessionId } = first[0]!;
    const [head] = await eventually(kept, ({ length }) => length === 1, 30_000);
    const conversation_id = valuesOf(first, "session")[0]?.agentSessionId;
    expect(head).toMatchObject({ conversation_id });
    await collect(connection.client.runTurn({ sessionId, prompt: "say ho" }));
    await eventually(kept, ([now]) => (now?.bytes ?? 0) > head!.bytes, 30_000);
    await connection.client.deleteSession({ sessionId });
    await eventually(kept, ({ length }) => length === 0, 30_000);
    const rows = await database.query("SELECT count(*)::int AS count FROM transcripts");
    expect(rows).toEqual([{ count: 0 }]);
  });

  it("keeps nothing of what agents record where secrets are kept off the record", async () => {
    await using database = await makeDatabase(cluster!);
    const settings = { BREAKGLASS_STORE: database.url, BREAKGLASS_REDACT: "1" };
    await using server = await startTestServer(settings);
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say hi" }));
    await server.restart();
    const rows = await database.query("SELECT session_key FROM transcript_heads");
    expect(rows).toEqual([]);
    expect(JSON.stringify(server.log)).toContain("begin empty conversations");
  });

  it("is the only one on its disk, and says so in one line", async () => {
    await using database = await makeDatabase(cluster!);
    const settings = { BREAKGLASS_STORE: database.url };
    await using server = await startTestServer(settings);
    const sameDisk = { ...settings, BREAKGLASS_DATA_DIR: `${server.root}/data` };
    await expect(startTestServer(sameDisk)).rejects.toThrow(/server\.db: another server uses it$/);
    await server.restart();
  });
});

describe.skipIf(cluster === undefined)(
  `a database that is away while a turn runs${without(cluster)}`,
  () => {
    let own: Cluster;
    beforeAll(async () => {
      own = await startCluster((await findPostgres())!);
    });
    afterAll(() => own?.[Symbol.asyncDispose]());

    it.each(["SIGQUIT", "SIGINT"] as const)(
      "(%s) delays its events, and loses and doubles none",
      async (signal) => {
        const name = `away_${signal.toLowerCase()}`;
        await own.query(`CREATE DATABASE ${name} OWNER ${USER}`);
        await using server = await startTestServer({ BREAKGLASS_STORE: own.urlOf(name) });
        using connection = connect(server.url);
        const gate = createGate(server.root);
        const prompt = script("many 100", "say before", gate.step, "many 100", "say behind");
        await using reader = new EventReader(connection.client.runTurn({ prompt }));
        while (valuesOf(reader.seen, "text").length < 101) await reader.until("text");
        await own.stop(signal);
        gate.open();
        // So that it speaks while the database is away. Where it is slow the test shows less, and is right.
        await delay(500);
        await own.start();
        await reader.until("result");
        const { turnId } = reader.seen[0]!;
        const events = durable(await collect(connection.client.attachTurn({ turnId })));
        expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
        expect(bytesOf(events)).toEqual(bytesOf(durable(reader.seen)));
        expect(valuesOf(events, "text").length).toBe(202);
      },
    );
  },
);
