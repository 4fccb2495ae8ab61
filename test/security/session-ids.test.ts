import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BreakglassClient } from "#client";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

/** A server that knows two principals, and a client of each. */
interface SharedServer extends AsyncDisposable {
  readonly server: TestServer;
  readonly alice: BreakglassClient;
  readonly bob: BreakglassClient;
}

async function startSharedServer(): Promise<SharedServer> {
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-tokens-"));
  cleanup.defer(() => rm(folder, { recursive: true }));
  const tokens = join(folder, "tokens");
  await writeFile(tokens, ["alice", "bob"].map((name) => tokenLine(name, name)).join(""), {
    mode: 0o600,
  });
  const settings = { BREAKGLASS_TOKENS_FILE: tokens, BREAKGLASS_MAX_WARM_PROCESSES: "8" };
  const server = cleanup.use(await startTestServer(settings));
  const client = (token: string) =>
    cleanup.use(connect(server.url, { authorization: `Bearer ${token}` })).client;
  const [alice, bob] = [client("alice"), client("bob")];
  const owned = cleanup.move();
  return { server, alice, bob, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const output = (events: readonly TurnEvent[]) => valuesOf(events, "toolResult")[0]?.content;

describe("an id that another principal's session has", () => {
  it("opens a session of one's own, as one that nobody has does", async () => {
    await using shared = await startSharedServer();
    const { alice, bob } = shared;
    const sessionId = randomUUID();
    const prompt = "bash echo alice > note; cat note";
    const first = await collect(alice.runTurn({ sessionId, prompt }));
    const [taken, free] = await Promise.all(
      [sessionId, randomUUID()].map((id) =>
        collect(bob.runTurn({ sessionId: id, prompt: "bash cat note" })),
      ),
    );
    expect(cases(taken!)).toEqual(cases(free!));
    expect(taken![0]!.sessionId).toBe(sessionId);
    // Another workspace, another process, another conversation.
    expect(output(first)).toBe("alice\n");
    expect([output(taken!), output(free!)]).toEqual(["", ""]);
    const told = [first, taken!].map((events) => valuesOf(events, "session")[0]!);
    expect(told.map(({ resumed }) => resumed)).toEqual([false, false]);
    expect(told[0]!.agentSessionId).not.toBe(told[1]!.agentSessionId);

    const again = await collect(alice.runTurn({ sessionId, prompt: "bash cat note" }));
    expect(output(again)).toBe("alice\n");
    expect(valuesOf(again, "session")[0]).toMatchObject({ resumed: true });
  });

  it("names to everyone his own: to look at, to list, to watch and to delete", async () => {
    await using shared = await startSharedServer();
    const { alice, bob } = shared;
    const sessionId = randomUUID();
    await collect(alice.runTurn({ sessionId, prompt: "say of alice" }));
    const [mine] = await collect(bob.runTurn({ sessionId, prompt: "say of bob" }));
    await collect(bob.runTurn({ sessionId, prompt: "say more of bob" }));
    for (const [client, principal, turnCount] of [
      [alice, "alice", 1],
      [bob, "bob", 2],
    ] as const) {
      const { session } = await client.getSession({ sessionId });
      expect(session).toMatchObject({ sessionId, principal, turnCount });
      expect((await client.listSessions({})).sessions).toEqual([session]);
      const { turns } = await client.listTurns({ sessionId });
      expect(turns.map((turn) => [turn.principal, turn.sessionId])).toEqual(
        turns.map(() => [principal, sessionId]),
      );
      expect(turns).toHaveLength(turnCount);
      const changes: string[] = [];
      for await (const { change, caughtUp } of client.watchSession({ sessionId })) {
        if (change.case !== undefined) changes.push(change.value.principal);
        if (caughtUp) break;
      }
      expect(changes).toEqual(Array.from({ length: 2 * turnCount }, () => principal));
    }
    const { turnId } = mine!;
    expect(await refusalOf(alice.getTurn({ turnId }))).toMatchObject({ code: "NotFound" });

    await bob.deleteSession({ sessionId });
    expect(await refusalOf(bob.getSession({ sessionId }))).toMatchObject({ code: "NotFound" });
    expect((await alice.getSession({ sessionId })).session?.turnCount).toBe(1);
    await alice.deleteSession({ sessionId });
    expect(await refusalOf(alice.deleteSession({ sessionId }))).toMatchObject({ code: "NotFound" });
  });

  it("is as free as any other while another's turn runs under it", async () => {
    await using shared = await startSharedServer();
    const { alice, bob, server } = shared;
    const sessionId = randomUUID();
    const gate = createGate(server.root);
    const prompt = script("say begun", gate.step, "say ended");
    await using running = new EventReader(alice.runTurn({ sessionId, prompt }));
    await running.until("text");
    const meanwhile = await collect(bob.runTurn({ sessionId, prompt: "say bob" }));
    expect(meanwhile.at(-1)?.kind.case).toBe("result");
    await bob.deleteSession({ sessionId });
    gate.open();
    const events = await running.rest();
    expect(valuesOf(events, "text").map(({ text }) => text)).toEqual(["begun", "ended"]);
    expect(events.at(-1)?.kind.case).toBe("result");
  });

  it("does not mix up their requests", async () => {
    await using shared = await startSharedServer();
    const { alice, bob } = shared;
    const request = { sessionId: randomUUID(), requestId: randomUUID(), prompt: "say once" };
    const turnIds: string[] = [];
    for (const client of [alice, bob, alice, bob]) {
      turnIds.push((await collect(client.runTurn(request)))[0]!.turnId);
    }
    const [one, other] = turnIds;
    expect(one).not.toBe(other);
    expect(turnIds).toEqual([one, other, one, other]);
  });
});
