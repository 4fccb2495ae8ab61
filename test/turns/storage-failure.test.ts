import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import {
  createTestEnvironment,
  MARKER,
  type TestEnvironment,
} from "../support/test-environment.ts";

const STORAGE = { code: "Unavailable", reason: "STORAGE" };

describe("a server whose disk is full", () => {
  it("ends its streams with STORAGE, starts nothing, and serves what it has", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    using connection = connect(server.url);
    const { client } = connection;
    const earlier = durable(await collect(client.runTurn({ prompt: "say before" })));
    const { turnId, seen } = await fillUnderTurn(environment, server, client);

    expect(await eventually(agentsOf(environment, server), (pids) => pids.length === 0)).toEqual(
      [],
    );
    expect(await refusalOf(client.runTurn({ prompt: "say no" }))).toMatchObject(STORAGE);
    const reader = new EventReader(client.attachTurn({ turnId }));
    expect(await refusalOf(reader.rest())).toMatchObject(STORAGE);
    expect(bytesOf(durable(reader.seen))).toEqual(seen);
    const again = await collect(client.attachTurn({ turnId: earlier[0]!.turnId }));
    expect(bytesOf(durable(again))).toEqual(bytesOf(earlier));
  });

  it("records the turn's end, once and without a gap, when there is room again", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    using connection = connect(server.url);
    const { client } = connection;
    const { turnId, seen } = await fillUnderTurn(environment, server, client);
    const turn = await endedWithRoom(server, client, turnId);
    expect(turn).toMatchObject({ state: TurnState.FAILED, errorReason: ErrorReason.STORAGE });
    await expectEnd(client, turnId, seen, ErrorReason.STORAGE);
    const next = await collect(client.runTurn({ prompt: "say on", sessionId: turn!.sessionId }));
    expect(next.at(-1)?.kind.case).toBe("result");
  });

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "records it at its next start, at the latest, after %s",
    async (signal) => {
      await using environment = await createTestEnvironment();
      await using server = await startServeProcess(environment.variables);
      using before = connect(server.url);
      const { turnId, seen } = await fillUnderTurn(environment, server, before.client);
      expect(await server.end(signal)).toBe(signal === "SIGTERM" ? 0 : null);
      await using second = await startServeProcess(environment.variables);
      using after = connect(second.url);
      await expectEnd(after.client, turnId, seen, ErrorReason.SERVER_RESTARTED);
    },
  );
});

describe("a turn that ends while the disk is full", () => {
  it("ends as its agent ended it, with the result, when there is room again", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(environment.root);
    const reader = new EventReader(client.runTurn({ prompt: script("say hi", gate.step) }));
    const { turnId } = await reader.until("text");
    limitFiles(server, "1");
    gate.open();
    expect(await refusalOf(reader.rest())).toMatchObject(STORAGE);
    expect(await endedWithRoom(server, client, turnId)).toMatchObject({
      state: TurnState.SUCCEEDED,
    });
    const events = durable(await collect(client.attachTurn({ turnId })));
    expect(cases(events)).toEqual(["session", "text", "result"]);
  });

  it("ends canceled where that was accepted", async () => {
    await using environment = await createTestEnvironment();
    await using server = await startServeProcess(environment.variables);
    using connection = connect(server.url);
    const { client } = connection;
    const reader = new EventReader(client.runTurn({ prompt: script("say hi", "hang") }));
    const { turnId } = await reader.until("text");
    limitFiles(server, "1");
    expect(await refusalOf(client.cancelTurn({ turnId }))).toMatchObject(STORAGE);
    expect(await endedWithRoom(server, client, turnId)).toMatchObject({
      state: TurnState.CANCELED,
      errorReason: ErrorReason.CANCELED,
    });
    await refusalOf(reader.rest());
  });
});

type Client = TestClient["client"];

/** Makes room on the disk; answers with a turn as it then ends. */
async function endedWithRoom(server: ServeProcess, client: Client, turnId: string) {
  limitFiles(server, "unlimited");
  const { turn } = await eventually(
    () => client.getTurn({ turnId }),
    (response) => response.turn?.state !== TurnState.RUNNING,
    20_000,
  );
  return turn;
}

/** Runs a turn under which the disk gets full; answers what of it was delivered. */
async function fillUnderTurn(environment: TestEnvironment, server: ServeProcess, client: Client) {
  const gate = createGate(environment.root);
  const prompt = script("many 5", gate.step, "many 5", "hang");
  const reader = new EventReader(client.runTurn({ prompt }));
  while (reader.seen.at(-1)?.sequence !== 6) await reader.until("text");
  limitFiles(server, "1");
  gate.open();
  expect(await refusalOf(reader.rest())).toMatchObject(STORAGE);
  const seen = bytesOf(durable(reader.seen));
  expect(seen).toHaveLength(6);
  return { turnId: reader.seen[0]!.turnId, seen };
}

/** Everything that was delivered is on record, and only the terminal event follows it. */
async function expectEnd(client: Client, turnId: string, seen: string[], reason: ErrorReason) {
  const events = durable(await collect(client.attachTurn({ turnId })));
  expect(bytesOf(events.slice(0, -1))).toEqual(seen);
  expect(events.at(-1)).toMatchObject({
    sequence: seen.length + 1,
    kind: { case: "error", value: { reason } },
  });
}

/** Sets the size that no file of the server may exceed: a disk that is full, and one that was cleared. */
function limitFiles(server: ServeProcess, bytes: string): void {
  execFileSync("prlimit", ["--pid", String(server.pid), `--fsize=${bytes}:unlimited`]);
}

function agentsOf({ variables }: TestEnvironment, server: ServeProcess): () => number[] {
  return () => processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== server.pid);
}
