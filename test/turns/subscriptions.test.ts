import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

const TOO_MANY = { code: "ResourceExhausted", reason: "TOO_MANY_SUBSCRIPTIONS" };

describe("the readers of one turn", () => {
  it("are limited, those of others are not, and a place that gets free can be taken", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: "2" });
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    await using first = new EventReader(client.runTurn({ prompt: script(gate.step, "say one") }));
    const { turnId } = await first.until("session");
    const leaving = new AbortController();
    await using second = new EventReader(client.attachTurn({ turnId }, leaving));
    await second.until("session");
    expect(await refusalOf(client.attachTurn({ turnId }))).toMatchObject({
      ...TOO_MANY,
      retryMs: expect.any(Number),
    });
    const other = await collect(client.runTurn({ prompt: "say other" }));
    expect(other.at(-1)!.kind.case).toBe("result");

    leaving.abort();
    const third = await eventually(
      () => attach(turnId),
      (reader) => reader !== undefined,
    );
    gate.open();
    expect((await third!.rest()).at(-1)!.kind.case).toBe("result");
    expect((await first.rest()).at(-1)!.kind.case).toBe("result");

    async function attach(turn: string): Promise<EventReader | undefined> {
      const reader = new EventReader(client.attachTurn({ turnId: turn }));
      const event = await reader.until("session").catch(() => undefined);
      return event && reader;
    }
  });
});

describe("the readers of all turns", () => {
  it("are limited together", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_SUBSCRIPTIONS: "2" });
    using connection = connect(server.url);
    const { client } = connection;
    const running = [1, 2].map(() => new EventReader(client.runTurn({ prompt: "hang" })));
    for (const reader of running) await reader.until("session");
    const { turnId } = running[0]!.seen[0]!;
    expect(await refusalOf(client.attachTurn({ turnId }))).toMatchObject(TOO_MANY);
    await Promise.all([server.drain(), ...running.map((reader) => reader.rest())]);
  });
});

describe("a reader of what follows an event that is not there", () => {
  it.each([
    ["runs", "hang"],
    ["has ended", "say done"],
  ])("is told the last one there is, of a turn that %s", async (_, step) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const reader = new EventReader(client.runTurn({ prompt: script("say hi", step) }));
    const { turnId, sequence } =
      step === "hang" ? await reader.until("text") : (await reader.rest()).at(-1)!;
    expect(await refusalOf(client.attachTurn({ turnId, afterSequence: 99 }))).toMatchObject({
      code: "OutOfRange",
      reason: "OUT_OF_RANGE",
      metadata: { last_sequence: String(sequence) },
    });
  });
});
