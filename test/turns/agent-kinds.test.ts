import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { bothAgents } from "../support/both-agents.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

const PNG = {
  name: "a.png",
  mediaType: "image/png",
  data: new Uint8Array(Buffer.from("\x89PNG\r\n\x1a\nrest", "latin1")),
};

const startBoth = () => startTestServer({}, bothAgents);

describe("a session with an agent of another kind", () => {
  it("keeps it from turn to turn, and goes on with the conversation that its agent named", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const first = await collect(client.runTurn({ prompt: "say one", agentKind: "line" }));
    expect(cases(first)).toEqual(["checkpoint", "session", "text", "result"]);
    const { sessionId } = first[0]!;
    const [session] = valuesOf(first, "session");
    expect(session).toMatchObject({ agentSessionId: "line_1", resumed: false, agent: "line" });
    const second = await collect(client.runTurn({ prompt: "say two", sessionId }));
    expect(valuesOf(second, "session")).toMatchObject([{ ...session, resumed: true }]);
    expect((await client.getSession({ sessionId })).session).toMatchObject({
      ...{ agentKind: "line", agent: "line", model: "none", totalCostUsd: 0 },
    });
    const other = await collect(client.runTurn({ prompt: "say one" }));
    const { session: usual } = await client.getSession({ sessionId: other[0]!.sessionId });
    expect(usual).toMatchObject({ agentKind: "claude", model: "sonnet", agent: "breakglass" });
  });

  it("is refused another kind, and an unknown one is an invalid argument; nothing is recorded", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const [{ sessionId }] = (await collect(client.runTurn({ prompt: "say one" }))) as [never];
    const other = client.runTurn({ prompt: "say two", sessionId, agentKind: "line" });
    expect(await refusalOf(other)).toMatchObject({
      ...{ code: "FailedPrecondition", reason: "AGENT_KIND_MISMATCH" },
      metadata: { agent_kind: "claude" },
    });
    const unknown = client.runTurn({ prompt: "say two", agentKind: "none" });
    expect(await refusalOf(unknown)).toMatchObject({
      ...{ code: "InvalidArgument", fields: ["agent_kind"] },
    });
    const { sessions } = await client.listSessions({});
    expect(sessions.map(({ turnCount }) => turnCount)).toEqual([1]);
  });

  it("is canceled with all that it runs, and takes the next turn", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = script("ignore", "bash sleep 600", "say one", "hang");
    await using reader = new EventReader(client.runTurn({ prompt, agentKind: "line" }));
    const { turnId, sessionId } = await reader.until("text");
    expect((await client.cancelTurn({ turnId })).turn?.state).toBe(TurnState.CANCELED);
    expect(server.processes()).toEqual([]);
    const next = await collect(client.runTurn({ prompt: "say two", sessionId }));
    expect(valuesOf(next, "session")).toMatchObject([{ resumed: true }]);
  });

  it("asks for approvals, and is given no other input: the approval waits on", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const asked = { agentKind: "line", permissionMode: PermissionMode.ASK };
    await using reader = new EventReader(client.runTurn({ prompt: "ask Bash {}", ...asked }));
    const { turnId, kind } = await reader.until("approvalRequest");
    const { approvalId } = kind.value as { approvalId: string };
    const allow = (inputJson?: string) => ({
      ...{ turnId, approvalId },
      decision: { case: "allow", value: inputJson === undefined ? {} : { inputJson } } as const,
    });
    expect(await refusalOf(client.resolveApproval(allow('{"a":1}')))).toMatchObject({
      ...{ code: "FailedPrecondition", reason: "UNSUPPORTED_BY_AGENT" },
      metadata: { agent_kind: "line", capability: "changed_input" },
    });
    const { turn } = await client.getTurn({ turnId });
    expect(turn?.state).toBe(TurnState.AWAITING_APPROVAL);
    await client.resolveApproval(allow());
    const rest = await reader.rest();
    expect(cases(rest).slice(3)).toEqual(["approvalResolution", "text", "result"]);
    expect(valuesOf(rest, "text")).toMatchObject([{ text: "ran {}" }]);
  });

  it("is refused a message while it works, before that is on record", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = script("say one", "hang");
    await using reader = new EventReader(client.runTurn({ prompt, agentKind: "line" }));
    const { turnId } = await reader.until("text");
    const request = { turnId, message: "say two", requestId: randomUUID() };
    for (let n = 0; n < 2; n++) {
      expect(await refusalOf(client.steerTurn(request))).toMatchObject({
        ...{ code: "FailedPrecondition", reason: "UNSUPPORTED_BY_AGENT" },
        metadata: { agent_kind: "line", capability: "steer" },
      });
    }
    await client.interruptTurn({ turnId });
    expect(cases(await reader.rest()).slice(3)).toEqual(["error"]);
  });

  it("is refused images, of a session that is there too, and nothing is recorded; files it takes", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const unsupported = {
      ...{ code: "FailedPrecondition", reason: "UNSUPPORTED_BY_AGENT" },
      metadata: { agent_kind: "line", capability: "images" },
    };
    const request = { prompt: "say one", agentKind: "line", attachments: [PNG] };
    expect(await refusalOf(client.runTurn(request))).toMatchObject(unsupported);
    expect((await client.listSessions({})).sessions).toEqual([]);
    const file = { ...PNG, name: "a.txt", mediaType: "text/plain" };
    const [event] = await collect(client.runTurn({ ...request, attachments: [file] }));
    const { sessionId } = event!;
    const later = { prompt: "say two", sessionId, attachments: [PNG] };
    expect(await refusalOf(client.runTurn(later))).toMatchObject(unsupported);
    expect((await client.getSession({ sessionId })).session?.turnCount).toBe(1);
  });

  it("has each kind's own limits of images", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const [event] = await collect(client.runTurn({ prompt: "say one", attachments: [PNG] }));
    const { sessionId } = event!;
    const wrong = { ...PNG, name: "b.gif", mediaType: "image/gif" };
    const attachments = [PNG, wrong, { ...PNG, name: "c.bmp", mediaType: "image/bmp" }];
    for (const of of [{}, { sessionId }, { sessionId: randomUUID() }]) {
      const refused = client.runTurn({ prompt: "say two", attachments, ...of });
      expect(await refusalOf(refused)).toMatchObject({
        ...{ code: "InvalidArgument", reason: "INVALID_ARGUMENT" },
        fields: ["attachments[1].data", "attachments[2].media_type"],
      });
    }
    expect((await client.listSessions({})).sessions).toHaveLength(1);
  });
});

describe("a session that is deleted", () => {
  it("has its own agent forget its conversations", async () => {
    await using server = await startBoth();
    using connection = connect(server.url);
    const { client } = connection;
    const [event] = await collect(client.runTurn({ prompt: "say one", agentKind: "line" }));
    const file = join(server.root, ".line", "line_1");
    expect(existsSync(file)).toBe(true);
    await client.deleteSession({ sessionId: event!.sessionId });
    expect(
      await eventually(
        () => existsSync(file),
        (there) => !there,
      ),
    ).toBe(false);
  });
});
