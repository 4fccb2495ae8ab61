import { describe, expect, it } from "vitest";
import type { ConnectionChange } from "#client";
import { streamTurn } from "#client";
import { ErrorReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { AT_ONCE, startCutServer, WAYS } from "./cut-server.ts";

const SOME = WAYS.filter(({ name }) => !name.includes("JSON"));

describe.each(SOME)("a server that is killed in the middle of a turn, over $name", (way) => {
  it("is waited for, and how the turn ended is delivered, every event once", async () => {
    await using cleanup = new AsyncDisposableStack();
    const proxy = cleanup.use(await startCuttingProxy());
    const settings = { BREAKGLASS_ALLOWED_HOSTS: proxy.host };
    const environment = cleanup.use(await createTestEnvironment(settings));
    const first = cleanup.use(await startServeProcess(environment.variables));
    proxy.forwardTo(first.url);
    const connection = cleanup.use(way.connect(proxy.url));
    const changes: ConnectionChange[] = [];
    const events: TurnEvent[] = [];
    const restartFailed = new AbortController();
    const stream = streamTurn(
      connection.client,
      { run: { prompt: script("many 20", "hang") } },
      {
        signal: restartFailed.signal,
        backOff: AT_ONCE,
        onConnection: (change) => void changes.push(change),
      },
    );
    let killed: Promise<unknown> | undefined;
    for await (const event of stream) {
      events.push(event);
      if (event.sequence < 10 || killed) continue;
      killed = first
        .end("SIGKILL")
        .then(() => startServeProcess(environment.variables))
        .then((second) => proxy.forwardTo(cleanup.use(second).url))
        .catch((error: unknown) => restartFailed.abort(error));
    }
    await killed;
    const last = events.at(-1)!;
    expect(last.kind).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.SERVER_RESTARTED },
    });
    expect(changes.at(-1)?.state).toBe("back");
    using again = connect(proxy.url);
    const log = await collect(again.client.attachTurn({ turnId: last.turnId }));
    expect(bytesOf(durable(events))).toEqual(bytesOf(durable(log)));
  });
});

describe("a server that drains and is started again", () => {
  it("ends the stream so that the client comes back and delivers the rest", async () => {
    await using behind = await startCutServer();
    const { server, proxy } = behind;
    using connection = connect(proxy.url);
    const events: TurnEvent[] = [];
    const stream = streamTurn(
      connection.client,
      { run: { prompt: script("many 20", "hang") } },
      { backOff: AT_ONCE },
    );
    let restarted: Promise<void> | undefined;
    for await (const event of stream) {
      events.push(event);
      if (event.sequence < 10) continue;
      restarted ??= server
        .restart({ BREAKGLASS_ALLOWED_HOSTS: proxy.host })
        .then(() => proxy.forwardTo(server.url));
    }
    await restarted;
    expect(events.at(-1)?.kind).toMatchObject({
      case: "error",
      value: { reason: ErrorReason.SERVER_SHUTDOWN },
    });
    using again = connect(proxy.url);
    const log = await collect(again.client.attachTurn({ turnId: events[0]!.turnId }));
    expect(bytesOf(durable(events))).toEqual(bytesOf(durable(log)));
  });
});
