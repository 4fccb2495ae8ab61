import { ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { type ConnectionChange, createBreakglassClient, runTurn, streamTurn } from "#client";
import { ConnectionClosedError, openGrpcConnection } from "#client/node";
import { createGate, script } from "../support/gate.ts";
import { startCutServer } from "./cut-server.ts";

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

function expectOwnClose(error: unknown): void {
  expect(error).toBeInstanceOf(ConnectError);
  expect((error as ConnectError).cause).toBeInstanceOf(ConnectionClosedError);
}

describe("a connection that its client closes", () => {
  it("ends the streams on it, which do not come back, and not their turns", async () => {
    await using behind = await startCutServer();
    const { server, proxy } = behind;
    const gate = createGate(server.root);
    const connection = openGrpcConnection(proxy.url, undefined);
    const client = createBreakglassClient(connection.transport);
    const changes: unknown[] = [];
    const onConnection = (change: unknown) => void changes.push(change);
    const run = { prompt: script("say one", gate.step, "say two") };
    const stream = streamTurn(client, { run }, { onConnection });
    const first = await stream.next();
    const reading = Array.fromAsync(stream);
    connection.close();
    expectOwnClose(await failureOf(reading));
    expect(changes).toEqual([]);
    expect(proxy.connections).toBe(1);

    gate.open();
    const another = openGrpcConnection(proxy.url, undefined);
    const { turnId } = first.value!;
    const ended = await runTurn(createBreakglassClient(another.transport), { attach: { turnId } });
    another.close();
    expect(ended.succeeded).toBe(true);
  });

  it("is opened by no later call, also where it was never open", async () => {
    await using behind = await startCutServer();
    const connection = openGrpcConnection(behind.proxy.url, undefined);
    const client = createBreakglassClient(connection.transport);
    connection.close();
    connection.close();
    expectOwnClose(await failureOf(runTurn(client, { run: { prompt: script("say one") } })));
    expectOwnClose(await failureOf(client.listTurns({})));
    expect(behind.proxy.connections).toBe(0);
  });

  it("ends the wait for the next try", async () => {
    const behind = await startCutServer();
    const connection = openGrpcConnection(behind.proxy.url, undefined);
    await behind[Symbol.asyncDispose]();
    const client = createBreakglassClient(connection.transport);
    const lost = Promise.withResolvers<number>();
    const options = {
      // Longer than any test waits.
      backOff: { firstMs: 3_600_000, longestMs: 3_600_000, firstGiveUpMs: 7_200_000 },
      onConnection: (change: ConnectionChange) =>
        change.state === "lost" && lost.resolve(change.retryInMs),
    };
    const reading = runTurn(client, { run: { prompt: "never" } }, options);
    expect(await lost.promise).toBeGreaterThan(1_000_000);
    connection.close();
    expectOwnClose(await failureOf(reading));
  });

  it("that was only dropped is opened again", async () => {
    await using behind = await startCutServer();
    const connection = openGrpcConnection(behind.proxy.url, undefined);
    const client = createBreakglassClient(connection.transport);
    await client.listTurns({});
    connection.drop();
    await client.listTurns({});
    connection.close();
    expect(behind.proxy.connections).toBe(2);
  });
});

describe("a turn to read that is none", () => {
  it.each([{}, { run: undefined }, { attach: null }, { prompt: "p" }])(
    "is refused at once, with what to write: %j",
    async (turn) => {
      const connection = openGrpcConnection("http://127.0.0.1:1", undefined);
      const client = createBreakglassClient(connection.transport);
      await expect(runTurn(client, turn as never)).rejects.toThrow(/\{ run: RunTurnRequest \}/);
      expect(() => streamTurn(client, turn as never)).toThrow(TypeError);
      connection.close();
    },
  );
});
