import { ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { createBreakglassClient, runTurn, streamTurn } from "#client";
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
