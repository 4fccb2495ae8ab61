import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { createLog } from "../../src/log.ts";
import { startServer } from "../../src/server/server.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

describe("a server that starts again on the same data", () => {
  it("has every session and turn as it was, to the byte", async () => {
    await using server = await startTestServer();
    const before = await snapshot(server.url, true);
    await server.restart();
    expect(await snapshot(server.url, false)).toEqual(before);

    async function snapshot(url: string, isFirst: boolean) {
      using connection = connect(url);
      const { client } = connection;
      if (isFirst) {
        const [event] = await collect(client.runTurn({ prompt: script("many 50", "big 2000000") }));
        const { sessionId } = event!;
        await collect(client.runTurn({ prompt: "exit 3", sessionId }));
        await collect(client.runTurn({ prompt: "say elsewhere" }));
      }
      const { sessions } = await client.listSessions({});
      const lists = await Promise.all(
        sessions.map(({ sessionId }) => client.listTurns({ sessionId })),
      );
      const turns = lists.flatMap((list) => list.turns);
      const streams = await Promise.all(
        turns.map(({ turnId }) => collect(client.attachTurn({ turnId }))),
      );
      return { sessions, turns, events: streams.map((events) => bytesOf(durable(events))) };
    }
  });

  it("goes on with a session's conversation", async () => {
    await using server = await startTestServer();
    const sessionId = await runIn(server.url, "", false);
    await server.restart();
    await runIn(server.url, sessionId, true);

    async function runIn(url: string, session: string, resumed: boolean): Promise<string> {
      using connection = connect(url);
      const request = { prompt: "say hi", sessionId: session };
      const events = await collect(connection.client.runTurn(request));
      expect(valuesOf(events, "session")[0]?.resumed).toBe(resumed);
      return events[0]!.sessionId;
    }
  });
});

describe("a server that was killed in the middle of a turn", () => {
  it("ends the turn LOST when it is back, with all that was seen, and what it left behind", async () => {
    await using environment = await createTestEnvironment();
    const { variables } = environment;
    const survivors = () =>
      processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== serve);
    let serve = 0;
    const orphan = 'detach trap "" TERM HUP; while :; do sleep 1; done';
    const prompt = script("ignore", orphan, "many 20", "hang");

    await using first = await startServeProcess(variables);
    serve = first.pid;
    using before = connect(first.url);
    await using reader = new EventReader(before.client.runTurn({ prompt }));
    while (reader.seen.at(-1)?.sequence !== 21) await reader.until("text");
    const { turnId, sessionId } = reader.seen[0]!;
    await first.end("SIGKILL");
    expect(survivors().length).toBeGreaterThan(0);

    await using second = await startServeProcess(variables);
    serve = second.pid;
    using after = connect(second.url);
    const events = durable(await collect(after.client.attachTurn({ turnId })));
    expect(bytesOf(events.slice(0, -1))).toEqual(bytesOf(durable(reader.seen)));
    expect(events.at(-1)?.kind).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.SERVER_RESTARTED },
    });
    const { turn } = await after.client.getTurn({ turnId });
    expect(turn).toMatchObject({ state: TurnState.LOST, lastSequence: 22 });
    expect(turn?.endTime).toBeDefined();
    // SIGTERM's rung, and 1 s.
    expect(await eventually(survivors, (pids) => pids.length === 0, 2500)).toEqual([]);

    const next = await collect(after.client.runTurn({ sessionId, prompt: "say back" }));
    expect(valuesOf(next, "session")[0]?.resumed).toBe(true);
    expect(next.at(-1)?.kind.case).toBe("result");
  });
});

describe("a second server on the same data", () => {
  it("is refused in one line that says why, and the first goes on", async () => {
    await using server = await startTestServer();
    const dataDir = `${server.root}/data`;
    const config = readServeConfig({
      BREAKGLASS_DATA_DIR: dataDir,
      BREAKGLASS_LISTEN: "127.0.0.1:0",
      IS_SANDBOX: "1",
    });
    const second = startServer(
      config,
      createLog(() => {}),
    );
    await expect(second).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^BREAKGLASS_DATA_DIR is ".*".*another server uses it/),
    });
    using connection = connect(server.url);
    const events = await collect(connection.client.runTurn({ prompt: "say on" }));
    expect(events.at(-1)?.kind.case).toBe("result");
  });
});

describe("a server that was killed while a session was being deleted", () => {
  it("ends what the session's last turn left behind when it is back", async () => {
    await using environment = await createTestEnvironment();
    const { variables } = environment;
    const alive = () => processesWith(MARKER, variables[MARKER]!);
    await using first = await startServeProcess(variables);
    using connection = connect(first.url);
    const { client } = connection;
    const deaf = 'detach trap "" TERM INT HUP; while :; do sleep 1; done';
    const [event] = await collect(client.runTurn({ prompt: script(deaf, "say done") }));
    const { sessionId } = event!;
    const deleted = client.deleteSession({ sessionId }).catch(() => "cut");
    await client.listSessions({});
    await first.end("SIGKILL");
    expect(await deleted).toBe("cut");
    expect(alive()).not.toEqual([]);

    await using second = await startServeProcess(variables);
    const left = () => alive().filter((pid) => pid !== second.pid);
    expect(await eventually(left, (pids) => pids.length === 0)).toEqual([]);
  });
});
