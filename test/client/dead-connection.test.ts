import { describe, expect, it } from "vitest";
import type { ConnectionChange } from "#client";
import { createBreakglassClient, streamTurn } from "#client";
import { openGrpcConnection } from "#client/node";
import { SilenceError } from "../../clients/typescript/src/stream-call.ts";
import { durable } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { AT_ONCE, startCutServer, WAYS } from "./cut-server.ts";

/** Far below what the service keeps, far above what a loaded machine needs. */
const SILENCE_MS = 2000;

const SOME = WAYS.filter(({ name }) => !name.includes("JSON"));

describe.each(SOME)("a connection that goes black over $name", ({ connect: connectBy }) => {
  it("is found by its silence, and the turn is read on over another", async () => {
    await using behind = await startCutServer();
    const { server, proxy } = behind;
    const gate = createGate(server.root);
    const connection = connectBy(proxy.url);
    using _closed = connection;
    const afterwards: ConnectionChange[] = [];
    let isBlack = false;
    const seen: number[] = [];
    const stream = streamTurn(
      connection.client,
      { run: { prompt: script("say one", gate.step, "say two") } },
      {
        backOff: AT_ONCE,
        silenceMs: SILENCE_MS,
        onConnection: (change) => isBlack && afterwards.push(change),
        dropConnection: () => connection[Symbol.dispose](),
      },
    );
    for await (const event of stream) {
      if (event.sequence > 0) seen.push(event.sequence);
      if (event.kind.case !== "text" || event.kind.value.text !== "one") continue;
      proxy.blacken();
      isBlack = true;
      gate.open();
    }
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(afterwards.map(({ state }) => state)).toEqual(["lost", "back"]);
    expect(afterwards[0]).toMatchObject({ error: expect.any(SilenceError), wasConnected: true });
  });
});

describe("a connection", () => {
  it("that is held for less than the silence that is allowed is not given up", async () => {
    await using behind = await startCutServer();
    const { server, proxy } = behind;
    const gate = createGate(server.root);
    using connection = connect(proxy.url);
    const changes: ConnectionChange[] = [];
    const stream = streamTurn(
      connection.client,
      { run: { prompt: script("say one", gate.step, "say two") } },
      { onConnection: (change) => void changes.push(change) },
    );
    const events = [];
    for await (const event of stream) {
      events.push(event);
      if (event.kind.case !== "text" || event.kind.value.text !== "one") continue;
      proxy.hold(true);
      gate.open();
      setTimeout(() => proxy.hold(false), 300);
    }
    expect(durable(events).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(changes).toEqual([]);
    expect(proxy.connections).toBe(1);
  });

  it("is not taken for dead while it is the reader that is slow", async () => {
    await using behind = await startCutServer();
    const connection = openGrpcConnection(behind.proxy.url, undefined);
    using cleanup = new DisposableStack();
    cleanup.defer(() => connection.close());
    const changes: ConnectionChange[] = [];
    const stream = streamTurn(
      createBreakglassClient(connection.transport),
      { run: { prompt: script("say one", "say two") } },
      { silenceMs: SILENCE_MS, onConnection: (change) => void changes.push(change) },
    );
    const first = await stream.next();
    expect(first.value?.kind.case).toBe("checkpoint");
    // Beyond several silences: the reader is busy.
    await new Promise((resolve) => setTimeout(resolve, 2.5 * SILENCE_MS));
    const rest = await Array.fromAsync(stream);
    expect(durable(rest).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    expect(changes).toEqual([]);
  });
});
