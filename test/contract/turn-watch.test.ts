import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { TurnWatcher } from "../support/turn-watcher.ts";

const ASK = PermissionMode.ASK;

describe.each(PROTOCOLS)("who watches all turns, over $name", ({ connect: connectTo }) => {
  it("is told what has not ended, and then each change, with what waits and who decided it", async () => {
    await using server = await startTestServer();
    using connection = connectTo(server.url);
    const { client } = connection;
    await collect(client.runTurn({ prompt: "say over" }));
    const gate = createGate(server.root);
    const prompt = script(gate.step, 'ask Bash {"n":1}');
    await using reader = new EventReader(client.runTurn({ prompt, permissionMode: ASK }));
    const { turnId } = await reader.until("checkpoint");
    using early = new TurnWatcher(client);
    await early.caughtUp();
    gate.open();
    const { kind } = await reader.until("approvalRequest");
    if (kind.case !== "approvalRequest") throw new Error("no approval is asked for");
    await early.until((told) => told.at(-1)?.change.case === "approvalRequested");
    using late = new TurnWatcher(client);
    await late.caughtUp();
    const { approvalId } = kind.value;
    const decision = { case: "allow", value: {} } as const;
    await client.resolveApproval({ turnId, approvalId, decision });
    await Promise.all([early.untilEnded(turnId), late.untilEnded(turnId)]);
    const asked = [`changed ${turnId} AWAITING_APPROVAL`, `asks ${turnId}`];
    const rest = [`decided ${turnId}`, `changed ${turnId} RUNNING`, `ended ${turnId} SUCCEEDED`];
    expect(early.changes).toEqual([`started ${turnId} RUNNING`, "caught up", ...asked, ...rest]);
    expect(late.changes).toEqual([...asked, "caught up", ...rest]);
    const [, , , pending, decided] = early.told.map(({ change }) => change);
    expect(pending?.value).toMatchObject({ principal: "local", mayResolve: true });
    expect(decided?.value).toMatchObject({
      kind: { value: { approvalId, decision: ApprovalDecision.ALLOWED, principal: "local" } },
    });
    const cursors = early.told.map(({ cursor }) => Number(cursor));
    expect(cursors).toEqual(cursors.toSorted((one, other) => one - other));
  });

  it("goes on from a cursor exactly where it was, also on the server after this one", async () => {
    await using server = await startTestServer();
    using first = connectTo(server.url);
    await collect(first.client.runTurn({ prompt: "say one" }));
    using whole = new TurnWatcher(first.client);
    await whole.caughtUp();
    await collect(first.client.runTurn({ prompt: "say two" }));
    await whole.until((told) => told.length === 3);
    const { cursor } = whole;
    await collect(first.client.runTurn({ prompt: "say three" }));
    await whole.until((told) => told.length === 5);
    await server.restart();
    const drained = await refusalOf(whole.ended.then(Promise.reject.bind(Promise)));
    expect(drained).toMatchObject({
      reason: "STREAM_ENDED",
      metadata: { cursor: `${cursor + 2n}` },
    });
    using second = connectTo(server.url);
    using again = new TurnWatcher(second.client, { afterCursor: cursor });
    await again.caughtUp();
    expect(again.changes).toEqual([...whole.changes.slice(3), "caught up"]);
    const past = new TurnWatcher(second.client, { afterCursor: cursor + 100n });
    const refusal = await refusalOf(past.ended.then(Promise.reject.bind(Promise)));
    expect(refusal).toMatchObject({ reason: "OUT_OF_RANGE", metadata: { after_cursor: "0" } });
  });
});

describe("who watches all turns", () => {
  it("is told of those that the filter asks for, and of one that was shown to its end", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const sessionId = randomUUID();
    const watch = (request: ConstructorParameters<typeof TurnWatcher>[1]) =>
      new TurnWatcher(client, { afterCursor: 0n, ...request });
    using waiting = watch({ states: [TurnState.AWAITING_APPROVAL] });
    using inSession = watch({ sessionId });
    using withText = watch({ query: "NEEDLE" });
    using others = watch({ principal: "nobody" });
    using byAgents = watch({ origin: TurnOrigin.AGENT });
    using before = watch({ until: { seconds: 1n, nanos: 0 } });
    using all = watch({});
    const watchers = [waiting, inSession, withText, others, byAgents, before, all];
    await Promise.all(watchers.map((each) => each.caughtUp()));
    const plain = await collect(client.runTurn({ sessionId, prompt: "say needle" }));
    const prompt = script('ask Bash {"n":1}', "say done");
    await using reader = new EventReader(client.runTurn({ prompt, permissionMode: ASK }));
    const { turnId, kind } = await reader.until("approvalRequest");
    const approvalId = kind.case === "approvalRequest" ? kind.value.approvalId : "";
    const value = { message: "no" };
    await client.resolveApproval({ turnId, approvalId, decision: { case: "deny", value } });
    await reader.rest();
    await Promise.all([all.untilEnded(turnId), waiting.untilEnded(turnId)]);
    const own = [`started ${plain[0]!.turnId} RUNNING`, `ended ${plain[0]!.turnId} SUCCEEDED`];
    expect(waiting.changes).toEqual(["caught up", ...all.changes.slice(4)]);
    expect(inSession.changes).toEqual(["caught up", ...own]);
    expect(withText.changes).toEqual(["caught up", ...own]);
    for (const one of [others, byAgents, before]) expect(one.changes).toEqual(["caught up"]);
    // From 0 on states are those of now; from a cursor on those that a turn has been in.
    using later = watch({ states: [TurnState.AWAITING_APPROVAL] });
    using replayed = watch({ states: [TurnState.AWAITING_APPROVAL], afterCursor: 2n });
    await Promise.all([later.caughtUp(), replayed.caughtUp()]);
    expect(later.changes).toEqual(["caught up"]);
    expect(replayed.changes).toEqual([...waiting.changes.slice(1), "caught up"]);
  });

  it("finds what waits as an approver, and nothing of others else", async () => {
    await using server = await startTestServer();
    const tokens = join(server.root, "tokens");
    await writeFile(
      tokens,
      tokenLine("a", "alice") + tokenLine("b", "bob") + tokenLine("c", "carol"),
      {
        mode: 0o600,
      },
    );
    await server.restart({
      BREAKGLASS_TOKENS_FILE: tokens,
      BREAKGLASS_APPROVERS: "bob",
      BREAKGLASS_SELF_APPROVAL: "forbidden",
    });
    const as = (token: string) => connect(server.url, { authorization: `Bearer ${token}` });
    using alice = as("a");
    using bob = as("b");
    using carol = as("c");
    const watchers = [alice, bob, carol].map(({ client }) => new TurnWatcher(client));
    const [ofAlice, ofBob, ofCarol] = watchers as [TurnWatcher, TurnWatcher, TurnWatcher];
    await Promise.all(watchers.map((each) => each.caughtUp()));
    await collect(alice.client.runTurn({ prompt: "say mine alone" }));
    const prompt = script('ask Bash {"n":1}', "say done");
    await using reader = new EventReader(alice.client.runTurn({ prompt, permissionMode: ASK }));
    const { turnId } = await reader.until("approvalRequest");
    await ofBob.until((told) => told.at(-1)?.change.case === "approvalRequested");
    const { change } = ofBob.told.at(-1)!;
    if (change.case !== "approvalRequested") throw new Error("no approval is told of");
    expect(change.value).toMatchObject({ principal: "alice", mayResolve: true });
    const event = change.value.event!;
    const approvalId = event.kind.case === "approvalRequest" ? event.kind.value.approvalId : "";
    const decision = { case: "allow", value: {} } as const;
    await bob.client.resolveApproval({ turnId: event.turnId, approvalId, decision });
    await Promise.all([ofAlice, ofBob].map((each) => each.untilEnded(turnId)));
    const asked = ofAlice.told.find((told) => told.change.case === "approvalRequested");
    expect(asked?.change.value).toMatchObject({ mayResolve: false });
    for (const each of [ofAlice, ofBob]) {
      const decided = each.told.find((told) => told.change.case === "approvalResolved");
      expect(decided?.change.value).toMatchObject({ kind: { value: { principal: "bob" } } });
    }
    expect(ofBob.changes).toEqual(["caught up", ...ofAlice.changes.slice(3)]);
    expect(ofCarol.changes).toEqual(["caught up"]);
    // That there was more than she may see is all that she is told.
    using again = new TurnWatcher(carol.client, { afterCursor: 2n });
    await again.caughtUp();
    expect(again.changes).toEqual(["caught up"]);
    for (const each of watchers) each[Symbol.dispose]();
  });

  it("is told that its cursor is of no use where what was behind it left with its turns", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const sessionId = randomUUID();
    await collect(client.runTurn({ prompt: "say kept" }));
    await collect(client.runTurn({ sessionId, prompt: "say removed" }));
    using watching = new TurnWatcher(client, { afterCursor: 2n });
    await watching.caughtUp();
    await client.deleteSession({ sessionId });
    using old = new TurnWatcher(client, { afterCursor: 3n });
    const refusal = await refusalOf(old.ended.then(Promise.reject.bind(Promise)));
    expect(refusal).toMatchObject({ reason: "OUT_OF_RANGE", metadata: { after_cursor: "0" } });
    using since = new TurnWatcher(client, { afterCursor: 5n });
    await since.caughtUp();
    // Who had been told all of it watches on.
    await collect(client.runTurn({ prompt: "say on" }));
    await watching.until((told) => told.length === 6);
    expect(watching.told).toHaveLength(6);
    using anew = new TurnWatcher(client);
    await anew.caughtUp();
    expect(anew.changes).toEqual(["caught up"]);
  });

  it("hears within 15 s that the server is there, and how far what it is not told of came", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    using watcher = new TurnWatcher(client, { principal: "nobody" });
    await watcher.caughtUp();
    const since = performance.now();
    await collect(client.runTurn({ prompt: "say unseen" }));
    await watcher.until((told) => told.length === 2);
    expect(performance.now() - since).toBeLessThan(16_000);
    const [, sign] = watcher.told;
    expect(sign).toMatchObject({ cursor: 3n, caughtUp: false });
    expect(sign?.change.case).toBeUndefined();
  });
});
