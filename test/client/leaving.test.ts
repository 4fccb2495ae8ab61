import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { ConnectionChange } from "#client";
import { streamTurn } from "#client";
import { SilenceError } from "../../clients/typescript/src/stream-call.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { checkpoint, response, startServiceDouble, TURN_ID } from "../commands/service-double.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { AT_ONCE } from "./cut-server.ts";

const attach = { turnId: TURN_ID };
const HOUR_MS = 3_600_000;

/** A service whose turn says nothing after its checkpoint, and that counts who reads it. */
async function startSilentService() {
  const signals: AbortSignal[] = [];
  const service = await startServiceDouble({
    async *attachTurn(_request, { signal }: HandlerContext) {
      signals.push(signal);
      yield checkpoint();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const readers = () => signals.filter((signal) => !signal.aborted).length;
  return Object.assign(service, { readers });
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

describe("a reader that leaves", () => {
  it("by leaving the loop ends the call at the server", async () => {
    await using service = await startSilentService();
    using connection = connect(service.url);
    const before = timers();
    for await (const _event of streamTurn(connection.client, { attach })) {
      expect(service.readers()).toBe(1);
      break;
    }
    expect(await eventually(service.readers, (count) => count === 0)).toBe(0);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it("by return while it waits for the next event is answered that it is done", async () => {
    await using service = await startSilentService();
    using connection = connect(service.url);
    const stream = streamTurn(connection.client, { attach });
    await stream.next();
    const pending = stream.next();
    expect(await stream.return()).toEqual({ done: true, value: undefined });
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await eventually(service.readers, (count) => count === 0)).toBe(0);
  });

  it("by its signal while it waits for the next event gets the signal's reason", async () => {
    await using service = await startSilentService();
    using connection = connect(service.url);
    const controller = new AbortController();
    const stream = streamTurn(connection.client, { attach }, { signal: controller.signal });
    await stream.next();
    const pending = stream.next();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    expect(await eventually(service.readers, (count) => count === 0)).toBe(0);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  it("before it began has called nobody", async () => {
    await using service = await startSilentService();
    using connection = connect(service.url);
    const signal = AbortSignal.abort(new Error("never mind"));
    const stream = streamTurn(connection.client, { attach }, { signal });
    await expect(stream.next()).rejects.toThrow("never mind");
    expect(service.readers()).toBe(0);
  });

  it.each(["return", "signal"] as const)(
    "by %s between two tries waits for neither and leaves no timer",
    async (how) => {
      await using service = await startServiceDouble({
        // biome-ignore lint/correctness/useYield: it stands for a server that takes nobody
        async *attachTurn() {
          throw new ConnectError("draining", Code.Unavailable);
        },
      });
      using connection = connect(service.url);
      const controller = new AbortController();
      const isLost = Promise.withResolvers<void>();
      const before = timers();
      const stream = streamTurn(
        connection.client,
        { attach },
        {
          signal: controller.signal,
          backOff: { firstMs: HOUR_MS, longestMs: HOUR_MS, firstGiveUpMs: 2 * HOUR_MS },
          onConnection: () => isLost.resolve(),
        },
      );
      const pending = stream.next().catch((error: unknown) => error);
      await isLost.promise;
      if (how === "signal") controller.abort(new Error("enough"));
      else await stream.return();
      if (how === "signal") expect(await pending).toEqual(new Error("enough"));
      else expect(await pending).toEqual({ done: true, value: undefined });
      expect(timers()).toBeLessThanOrEqual(before);
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    },
  );
});

describe("a hook", () => {
  it("that throws ends the stream, and the call with it", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn() {
        calls++;
        yield checkpoint();
        throw new ConnectError("draining", Code.Unavailable);
      },
    });
    using connection = connect(service.url);
    const onConnection = () => {
      throw new Error("a defect of the page");
    };
    const stream = streamTurn(connection.client, { attach }, { onConnection });
    await expect(Array.fromAsync(stream)).rejects.toThrow("a defect of the page");
    expect(calls).toBe(1);
  });
});

describe("giving up", () => {
  it("comes after the time for a server that was never heard, with what failed last", async () => {
    await using service = await startServiceDouble({});
    const { url } = service;
    await service[Symbol.asyncDispose]();
    using connection = connect(url);
    let losses = 0;
    const options = {
      backOff: { ...AT_ONCE, firstGiveUpMs: 100 },
      onConnection: () => void losses++,
    };
    const read = Array.fromAsync(streamTurn(connection.client, { attach }, options));
    await expect(read).rejects.toMatchObject({ code: Code.Unavailable });
    expect(losses).toBeGreaterThan(1);
  });

  it("does not come because the first call is silent for longer than that: it is made again", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn(_request, { signal }) {
        if (++calls < 3) await new Promise((resolve) => signal.addEventListener("abort", resolve));
        yield checkpoint();
        yield response({ case: "result", value: {} }, 1);
      },
    });
    using connection = connect(service.url);
    const losses: unknown[] = [];
    const options = {
      backOff: { ...AT_ONCE, firstGiveUpMs: 1 },
      silenceMs: 300,
      onConnection: (change: ConnectionChange) => {
        if (change.state === "lost") losses.push(change.error);
      },
    };
    const events = await Array.fromAsync(streamTurn(connection.client, { attach }, options));
    expect(events.at(-1)?.kind.case).toBe("result");
    expect(losses).toEqual([expect.any(SilenceError), expect.any(SilenceError)]);
    expect(String(losses[0])).toContain("a proxy in between may be holding the answer back");
  });

  it("comes after three silences of a server that was never heard", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn(_request, { signal }) {
        calls++;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    using connection = connect(service.url);
    const options = { backOff: { ...AT_ONCE, firstGiveUpMs: 1 }, silenceMs: 200 };
    const read = Array.fromAsync(streamTurn(connection.client, { attach }, options));
    await expect(read).rejects.toThrow(SilenceError);
    expect(calls).toBe(3);
  });

  it("comes after the time for a server that was heard, counted from its last word", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      async *attachTurn({ afterSequence }) {
        // Longer in all than a single outage may be.
        if (++calls > 60) throw new ConnectError("gone", Code.Unavailable);
        yield checkpoint(TurnState.RUNNING, afterSequence);
        if (calls % 10 === 0) yield response({ case: "text", value: {} }, afterSequence + 1);
        throw new ConnectError("again", Code.Unavailable);
      },
    });
    using connection = connect(service.url);
    const options = { backOff: { ...AT_ONCE, giveUpMs: 1000 } };
    const read = Array.fromAsync(streamTurn(connection.client, { attach }, options));
    await expect(read).rejects.toMatchObject({ rawMessage: "gone" });
  });
});

describe("10,000 connections", () => {
  it("leave no listeners, no timers and no memory behind", async () => {
    const count = 10_000;
    await using service = await startServiceDouble({
      async *attachTurn({ afterSequence }) {
        yield checkpoint(TurnState.RUNNING, afterSequence);
        if (afterSequence === count) yield response({ case: "result", value: {} }, count + 1);
        else yield response({ case: "text", value: {} }, afterSequence + 1);
        throw new ConnectError("drained", Code.Unavailable);
      },
    });
    using connection = connect(service.url);
    const { signal } = new AbortController();
    const backOff = { firstMs: 0, longestMs: 0 };
    const heap: number[] = [];
    const before = timers();
    let listeners = 0;
    let last = 0;
    for await (const event of streamTurn(connection.client, { attach }, { signal, backOff })) {
      last = event.sequence;
      if (event.sequence % 2000 !== 0 || event.sequence === 0) continue;
      listeners = Math.max(listeners, getEventListeners(signal, "abort").length);
      heap.push(heapBytes());
    }
    expect(last).toBe(count + 1);
    expect(listeners).toBe(1);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(timers()).toBeLessThanOrEqual(before);
    // 8,000 connections: a leaked controller with its listeners alone would be 1 KB each.
    expect(heap.at(-1)! - heap[0]!).toBeLessThan(4_000_000);
  }, 180_000);
});

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}
