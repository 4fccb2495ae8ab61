import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ErrorReason, NoticeReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { planAgents } from "../../src/server/served-agents.ts";
import { bothAgents } from "../support/both-agents.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

const SERVE_BOTH = fileURLToPath(new URL("../fixtures/serve-both.ts", import.meta.url));

describe("a server that was killed under the turn of another kind of agent", () => {
  it("ends the turn and what it left when it is back, and the session goes on with its conversation", async () => {
    await using environment = await createTestEnvironment();
    const { variables } = environment;
    let serve = 0;
    const survivors = () =>
      processesWith(MARKER, variables[MARKER]!).filter((pid) => pid !== serve);
    await using first = await startServeProcess(variables, [], [SERVE_BOTH]);
    serve = first.pid;
    using before = connect(first.url);
    const prompt = script("ignore", "bash sleep 600", "say one", "hang");
    await using reader = new EventReader(before.client.runTurn({ prompt, agentKind: "line" }));
    const { turnId, sessionId } = await reader.until("text");
    await first.end("SIGKILL");
    expect(survivors().length).toBeGreaterThan(0);

    await using second = await startServeProcess(variables, [], [SERVE_BOTH]);
    serve = second.pid;
    using after = connect(second.url);
    const { client } = after;
    const { turn } = await client.getTurn({ turnId });
    const { SERVER_RESTARTED: errorReason } = ErrorReason;
    expect(turn).toMatchObject({ state: TurnState.LOST, errorReason });
    const next = await collect(client.runTurn({ prompt: "say two", sessionId }));
    expect(valuesOf(next, "session")).toMatchObject([{ agentSessionId: "line_1", resumed: true }]);
    expect(next.at(-1)?.kind.case).toBe("result");
    // The session's next turn has waited for what was left; its own process may be about to exit.
    expect(await eventually(survivors, (pids) => pids.length === 0, 2500)).toEqual([]);
  });
});

describe("a server that starts again", () => {
  it("says that a conversation is lost whose agent had not named it", async () => {
    await using server = await startTestServer({}, bothAgents);
    const sessionId = randomUUID();
    const request = { prompt: "say two", agentKind: "line", sessionId };
    // The agent cannot come up in it.
    mkdirSync(join(server.root, "data", "sessions"), { recursive: true });
    writeFileSync(join(server.root, ".line"), "in the way");
    {
      using connection = connect(server.url);
      const first = await collect(connection.client.runTurn({ ...request, prompt: "say one" }));
      expect(valuesOf(first, "session")).toEqual([]);
      expect(valuesOf(first, "notice")).toEqual([]);
    }
    await server.restart({ HOME: join(server.root, "data") });
    using connection = connect(server.url);
    const next = await collect(connection.client.runTurn(request));
    const { CONVERSATION_RESET: reason } = NoticeReason;
    expect(valuesOf(next, "notice")).toMatchObject([{ reason }]);
    expect(valuesOf(next, "session")).toMatchObject([{ resumed: false }]);
    const last = await collect(connection.client.runTurn(request));
    expect(valuesOf(last, "notice")).toEqual([]);
    expect(valuesOf(last, "session")).toMatchObject([{ resumed: true }]);
  });

  it("without a session's kind of agent refuses its turns, and removes what it left once there is one", async () => {
    await using server = await startTestServer({}, bothAgents);
    const { sessionId } = await runIn(server.url, "line");
    await server.restart({}, planAgents);
    const file = join(server.root, ".line", "line_1");
    {
      using connection = connect(server.url);
      const { client } = connection;
      expect(await refusalOf(client.runTurn({ prompt: "say two", sessionId }))).toMatchObject({
        ...{ code: "FailedPrecondition", reason: "AGENT_KIND_NOT_SERVED" },
        metadata: { agent_kind: "line" },
      });
      expect((await client.getSession({ sessionId })).session?.turnCount).toBe(1);
      await runIn(server.url, "claude");
      expect(await client.deleteSession({ sessionId })).toMatchObject({ removalPending: true });
      expect(server.log.join("")).toContain("this server runs no agent of the kind line");
      expect(existsSync(file)).toBe(true);
    }
    await server.restart({}, bothAgents);
    expect(
      await eventually(
        () => existsSync(file),
        (isThere) => !isThere,
      ),
    ).toBe(false);
  });
});

async function runIn(url: string, agentKind: string): Promise<{ sessionId: string }> {
  using connection = connect(url);
  const events = await collect(connection.client.runTurn({ prompt: "say one", agentKind }));
  expect(events.at(-1)?.kind.case).toBe("result");
  return events[0]!;
}
