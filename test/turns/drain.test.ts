import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { callerNamed } from "../support/caller.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";
import { PRINCIPAL, pass, REQUEST, startDrivenTurns } from "./driven-turns.ts";

const GENEROUS = { BREAKGLASS_DRAIN_SECONDS: "3600" };

describe("a turn under a server that drains", () => {
  it("ends with its own result where it comes within the grace, and the server waits no longer", async () => {
    await using server = await startTestServer(GENEROUS);
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const prompt = script("say begun", gate.step, "say done");
    await using reader = new EventReader(client.runTurn({ prompt }));
    const { turnId } = await reader.until("text");
    const drained = server.drain();
    expect(await refusalOf(client.runTurn({ prompt: "say no" }))).toMatchObject({
      reason: "DRAINING",
    });
    // What is there can be read, and read again, for as long as its turn runs.
    await using second = new EventReader(client.attachTurn({ turnId }));
    await second.until("text");
    gate.open();
    expect((await reader.rest()).at(-1)!.kind.case).toBe("result");
    expect((await second.rest()).at(-1)!.kind.case).toBe("result");
    await drained;
  });

  it("is stopped and LOST where it goes on beyond the grace", async () => {
    await using server = await startTestServer({ BREAKGLASS_DRAIN_SECONDS: "1" });
    using connection = connect(server.url);
    const running = ["say one", "say two"].map(
      (step) => new EventReader(connection.client.runTurn({ prompt: script(step, "hang") })),
    );
    for (const reader of running) await reader.until("text");
    const [ends] = await Promise.all([
      Promise.all(running.map((reader) => reader.rest())),
      server.drain(),
    ]);
    for (const events of ends) {
      const { kind } = events.at(-1)!;
      expect(kind.value).toMatchObject({ reason: ErrorReason.SERVER_SHUTDOWN });
    }
    expect(server.processes()).toEqual([]);
  });

  it("can be canceled within the grace", async () => {
    await using server = await startTestServer(GENEROUS);
    using connection = connect(server.url);
    const { client } = connection;
    await using reader = new EventReader(client.runTurn({ prompt: "hang" }));
    const { turnId } = await reader.until("session");
    const drained = server.drain();
    const { turn } = await client.cancelTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    await reader.rest();
    await drained;
  });

  it("is joined by the request that started it", async () => {
    await using server = await startTestServer(GENEROUS);
    using connection = connect(server.url);
    const { client } = connection;
    const gate = createGate(server.root);
    const prompt = script(gate.step, "say done");
    const request = { prompt, requestId: "01890a5d-ac96-474b-bcce-b302099a8058" };
    await using reader = new EventReader(client.runTurn(request));
    const { turnId } = await reader.until("session");
    const drained = server.drain();
    const joined = collect(client.runTurn(request));
    gate.open();
    const events = await joined;
    expect(events[0]!.turnId).toBe(turnId);
    expect(events.at(-1)!.kind.case).toBe("result");
    await reader.rest();
    await drained;
  });
});

describe("a turn that is being recorded while the server drains", () => {
  it("is waited for, and ends LOST without being run", async () => {
    await using driven = await startDrivenTurns();
    const { turns, store } = driven;
    store.isHeld = true;
    const started = turns.run({ ...REQUEST, prompt: "never run" }, callerNamed(PRINCIPAL));
    await eventually(
      () => store.waiting,
      (calls) => calls.includes("createTurn"),
    );
    let isDrained = false;
    const drained = turns.drain(0).then(() => {
      isDrained = true;
    });
    await pass();
    expect(isDrained).toBe(false);
    store.isHeld = false;
    store.release(1);
    await drained;
    const { turnId } = await started;
    const [end] = await driven.readLog(turnId);
    expect(end?.kind.value).toMatchObject({ reason: ErrorReason.SERVER_SHUTDOWN });
  });
});
