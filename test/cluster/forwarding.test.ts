import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { PROTOCOLS } from "../support/protocols.ts";
import { startTwoReplicas, type TwoReplicas } from "./two-replicas.ts";

let replicas: TwoReplicas;
beforeAll(async () => {
  replicas = await startTwoReplicas();
});
afterAll(() => replicas[Symbol.asyncDispose]());

/** A session by an id of its own is at home on the other server, as the first is told. */
const inSession = () => ({ sessionId: randomUUID() });

describe.each(PROTOCOLS)("$name, through the replica that is not the home", ({ connect }) => {
  it("runs a turn there, and streams all of it", async () => {
    using first = connect(replicas.first.url);
    using home = connect(replicas.home.url);
    const events = await collect(
      first.client.runTurn({ ...inSession(), prompt: script("say one", "say two") }),
    );
    const { turnId } = events.find(({ turnId }) => turnId !== "")!;
    const { turn } = await home.client.getTurn({ turnId });
    expect(turn).toMatchObject({ state: TurnState.SUCCEEDED });
    const attached = await collect(first.client.attachTurn({ turnId }));
    expect(attached.at(-1)).toEqual(events.at(-1));
  });

  it("does what is asked of a running turn", async () => {
    using first = connect(replicas.first.url);
    const gate = createGate(replicas.home.root);
    const { sessionId } = inSession();
    await using reader = new EventReader(
      first.client.runTurn({ sessionId, prompt: script("say one", gate.step) }),
    );
    const { turnId } = await reader.until("text");
    const steered = await first.client.steerTurn({
      turnId,
      message: "more",
      requestId: randomUUID(),
    });
    expect(steered.turn).toMatchObject({ turnId, sessionId });
    const canceled = await first.client.cancelTurn({ turnId });
    expect(canceled.turn).toMatchObject({ state: TurnState.CANCELED });
    const events = await reader.rest();
    expect(events.at(-1)?.kind).toMatchObject({ case: "error" });
    const { removalPending } = await first.client.deleteSession({ sessionId });
    expect(removalPending).toBe(false);
  });

  it("gives what the home refuses, with its details", async () => {
    using first = connect(replicas.first.url);
    const unknown = first.client.cancelTurn({ turnId: randomUUID() });
    await expect(unknown).rejects.toMatchObject({ rawMessage: "no such turn" });
    const attached = collect(first.client.attachTurn({ turnId: randomUUID() }));
    await expect(attached).rejects.toMatchObject({ rawMessage: "no such turn" });
  });

  it("tells a session's changes", async () => {
    using first = connect(replicas.first.url);
    const { sessionId } = inSession();
    await collect(first.client.runTurn({ sessionId, prompt: script("say one") }));
    const left = new AbortController();
    const kinds: (string | undefined)[] = [];
    const watched = first.client.watchSession({ sessionId }, { signal: left.signal });
    for await (const { change, caughtUp } of watched) {
      kinds.push(change.case);
      if (caughtUp) break;
    }
    left.abort();
    expect(kinds).toContain("turnEnded");
  });
});
