import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConnectionChange } from "#client";
import { streamTurn } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { Cut } from "../support/cutting-proxy.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { AT_ONCE, type CutServer, startCutServer, WAYS } from "./cut-server.ts";

const EVENTS = 60;

/** Where the connections that are made next are cut; those after them are not. */
let cuts: readonly Cut[] = [];
let firstConnection = 0;
let behind: CutServer;
let turnId = "";
let sessionId = "";
let log: TurnEvent[] = [];
beforeAll(async () => {
  behind = await startCutServer((connection) => cuts[connection - firstConnection]);
  using direct = connect(behind.server.url);
  const prompt = script("say ä€𝄞", `many ${EVENTS}`);
  log = durable(await collect(direct.client.runTurn({ prompt })));
  ({ turnId, sessionId } = log[0]!);
});
afterAll(() => behind?.[Symbol.asyncDispose]());

const cutsAt = (most: number) =>
  fc.array(
    fc.record({
      afterBytes: fc.integer({ min: 0, max: most }),
      ending: fc.constantFrom("FIN" as const, "RST" as const),
    }),
    { maxLength: 10 },
  );

/** None is made over a connection that is open already. */
function cutNext(next: readonly Cut[]): void {
  behind.proxy.cut("RST");
  firstConnection = behind.proxy.connections;
  cuts = next;
}

describe.each(WAYS)("wherever $name is cut", ({ connect: connectBy }) => {
  /** Counts what was cut, so that no test is passed by connections that were not. */
  function countingOptions() {
    const options = {
      backOff: AT_ONCE,
      losses: 0,
      onConnection({ state }: ConnectionChange) {
        if (state === "lost") options.losses++;
      },
    };
    return options;
  }

  it("an attach delivers exactly the turn's log", async () => {
    const options = countingOptions();
    const runs = fc.asyncProperty(cutsAt(2500), fc.nat(EVENTS), async (next, afterSequence) => {
      cutNext(next);
      using connection = connectBy(behind.proxy.url);
      const attach = { turnId, afterSequence };
      const events = await Array.fromAsync(streamTurn(connection.client, { attach }, options));
      expect(bytesOf(durable(events))).toEqual(bytesOf(log.slice(afterSequence)));
      const checkpoints = valuesOf(events, "checkpoint");
      expect(checkpoints.filter(({ caughtUp }) => caughtUp).length).toBeLessThan(2);
      expect(checkpoints.length).toBeLessThan(3);
    });
    await fc.assert(runs, { numRuns: 25 });
    expect(options.losses).toBeGreaterThan(10);
  });

  it("a run delivers exactly the log of the one turn that it started", async () => {
    const options = countingOptions();
    const runs = fc.asyncProperty(cutsAt(1500), async (next) => {
      cutNext(next);
      using connection = connectBy(behind.proxy.url);
      const run = { prompt: script("say one", "many 30") };
      const events = await Array.fromAsync(streamTurn(connection.client, { run }, options));
      const { turnId: id, sessionId: session } = events[0]!;
      using direct = connect(behind.server.url);
      const recorded = await collect(direct.client.attachTurn({ turnId: id }));
      expect(bytesOf(durable(events))).toEqual(bytesOf(durable(recorded)));
      expect(events.at(-1)?.kind.case).toBe("result");
      const { turns } = await direct.client.listTurns({ sessionId: session });
      expect(turns).toHaveLength(1);
    });
    await fc.assert(runs, { numRuns: 5, endOnFailure: true });
    expect(options.losses).toBeGreaterThan(0);
  });

  it("a start whose answer was lost is joined, and no second turn runs", async () => {
    cutNext([0, 1, 60, 140].map((afterBytes) => ({ afterBytes, ending: "RST" })));
    using connection = connectBy(behind.proxy.url);
    using direct = connect(behind.server.url);
    const before = (await direct.client.getSession({ sessionId })).session!.turnCount;
    const run = { sessionId, prompt: "say once" };
    const options = countingOptions();
    const events = await Array.fromAsync(streamTurn(connection.client, { run }, options));
    expect(options.losses).toBeGreaterThan(3);
    expect(events.at(-1)?.kind.case).toBe("result");
    const { session } = await direct.client.getSession({ sessionId });
    expect(session?.turnCount).toBe(before + 1);
  });
});
