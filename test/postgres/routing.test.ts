import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { freePort } from "../support/free-port.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { makeDatabase, type TestDatabase, without } from "./databases.ts";
import { type Replica, startReplica } from "./several-servers.ts";

const cluster = inject("cluster");

describe.skipIf(cluster === undefined)(`replicas that know each other${without(cluster)}`, () => {
  let directory: string;
  let database: TestDatabase;
  let replicas: Replica[];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
    await writeFile(join(directory, "secret"), randomBytes(32).toString("hex"), { mode: 0o600 });
    database = await makeDatabase(cluster!);
    replicas = [await start(), await start(), await start()];
  });
  afterAll(async () => {
    for (const replica of replicas) await replica[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  async function start(): Promise<Replica> {
    return startReplica(database, {
      BREAKGLASS_CLUSTER_LISTEN: `127.0.0.1:${await freePort()}`,
      BREAKGLASS_CLUSTER_SECRET_FILE: join(directory, "secret"),
    });
  }

  it("take any call, whichever of them has the session: its turns, its text, what is asked of it, its end", async () => {
    const [home, second, third] = replicas as [Replica, Replica, Replica];
    const { turnId, sessionId } = (await collect(home.client.runTurn({ prompt: "say hello" })))[0]!;
    const gate = createGate(directory);
    const waits = createGate(directory).step;
    const prompt = script("delta he", gate.step, "delta llo", waits, "say hello");
    await using runner = new EventReader(
      second.client.runTurn({ sessionId, prompt, textDeltas: true }),
    );
    const running = await runner.until("textDelta");
    expect(running.turnId).not.toBe(turnId);
    await using reader = new EventReader(
      third.client.attachTurn({ turnId: running.turnId, textDeltas: true }),
    );
    await reader.until("session");
    gate.open();
    // Text as it is written is on no record: it comes from the home itself.
    await Promise.all([runner.until("textDelta"), reader.until("textDelta")]);
    const request = { turnId: running.turnId, message: "more", requestId: randomUUID() };
    const { sequence } = await third.client.steerTurn(request);
    expect((await home.client.steerTurn(request)).sequence).toBe(sequence);
    const { turn } = await second.client.cancelTurn({ turnId: running.turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    expect(bytesOf(durable(await runner.rest()))).toEqual(bytesOf(durable(await reader.rest())));
    const { removalPending } = await third.client.deleteSession({ sessionId });
    expect(removalPending).toBe(false);
  });

  it("tell a reader whose home was killed to come back, and one of them gives it the end", async () => {
    const home = await start();
    const [other] = replicas as [Replica];
    const [opened] = await collect(home.client.runTurn({ prompt: "say hello" }));
    const { sessionId } = opened!;
    const gate = createGate(directory);
    await using reader = new EventReader(
      other.client.runTurn({ sessionId, prompt: script("say one", gate.step) }),
    );
    const { turnId, sequence } = await reader.until("text");
    process.kill(home.process.pid, "SIGKILL");
    await expect(reader.rest()).rejects.toMatchObject({ code: Code.Unavailable });
    const again = await collect(other.client.attachTurn({ turnId, afterSequence: sequence }));
    expect(again.at(-1)?.kind.case).toBe("error");
    const { turn } = await other.client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.LOST);
    gate.open();
    await home[Symbol.asyncDispose]();
  });

  it("answer a home's refusal as it is", async () => {
    const [home, other] = replicas as [Replica, Replica];
    const gate = createGate(directory);
    await using reader = new EventReader(
      home.client.runTurn({ prompt: script("say one", gate.step) }),
    );
    const { turnId, sessionId } = await reader.until("text");
    const second = collect(other.client.runTurn({ sessionId, prompt: "say two" }));
    await expect(second).rejects.toMatchObject({ code: Code.FailedPrecondition });
    gate.open();
    const ended = eventually(
      () => other.client.getTurn({ turnId }),
      ({ turn }) => turn?.state === TurnState.SUCCEEDED,
    );
    await ended;
  });
});
