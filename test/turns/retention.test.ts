import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer } from "../support/test-server.ts";

const SHORT = { BREAKGLASS_RETENTION_SECONDS: "1" };

describe("a server that keeps ended turns for a while", () => {
  it("removes them then, their session with the last, and its workspace", async () => {
    await using server = await startTestServer(SHORT);
    using connection = connect(server.url);
    const { client } = connection;
    const requestId = "01890a5d-ac96-474b-bcce-b302099a8059";
    const request = { prompt: script("bash touch made", "say done"), requestId };
    const [event] = await collect(client.runTurn(request));
    const { turnId, sessionId } = event!;
    expect(workspaces(server.root)).toHaveLength(1);

    const left = await eventually(
      async () => ({
        sessions: (await client.listSessions({})).sessions.length,
        workspaces: workspaces(server.root).length,
      }),
      ({ sessions, workspaces: count }) => sessions === 0 && count === 0,
    );
    expect(left).toEqual({ sessions: 0, workspaces: 0 });
    const gone = { code: "NotFound" };
    expect(await refusalOf(client.getTurn({ turnId }))).toMatchObject(gone);
    expect(await refusalOf(client.attachTurn({ turnId }))).toMatchObject(gone);
    expect(await refusalOf(client.getSession({ sessionId }))).toMatchObject(gone);
    // A retry of what is gone runs nothing.
    expect(await refusalOf(client.runTurn(request))).toMatchObject(gone);
  });

  it("never removes a running one, nor its session, however old the turns before it", async () => {
    await using server = await startTestServer(SHORT);
    using connection = connect(server.url);
    const { client } = connection;
    const [first] = await collect(client.runTurn({ prompt: "say first" }));
    const { sessionId } = first!;
    const gate = createGate(server.root);
    const prompt = script("say begun", gate.step, "say ended");
    await using running = new EventReader(client.runTurn({ prompt, sessionId }));
    const { turnId } = await running.until("text");
    const { turns } = await eventually(
      () => client.listTurns({ sessionId }),
      (list) => list.turns.length === 1,
    );
    expect(turns).toMatchObject([{ turnId }]);
    expect((await client.getSession({ sessionId })).session).toMatchObject({
      runningTurnId: turnId,
      turnCount: 1,
    });
    gate.open();
    expect((await running.rest()).at(-1)!.kind.case).toBe("result");
  });

  it("keeps everything where the age is 0", async () => {
    await using server = await startTestServer({ BREAKGLASS_RETENTION_SECONDS: "0" });
    using connection = connect(server.url);
    const [event] = await collect(connection.client.runTurn({ prompt: "say kept" }));
    await server.restart();
    using again = connect(server.url);
    const { turn } = await again.client.getTurn({ turnId: event!.turnId });
    expect(turn?.prompt).toBe("say kept");
  });
});

describe("a session's turns", () => {
  it("are limited on record, and other sessions go on", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_SESSION_TURNS: "2" });
    using connection = connect(server.url);
    const { client } = connection;
    const [event] = await collect(client.runTurn({ prompt: "say one" }));
    const { sessionId } = event!;
    await collect(client.runTurn({ prompt: "say two", sessionId }));
    const refusal = await refusalOf(client.runTurn({ prompt: "say three", sessionId }));
    expect(refusal).toMatchObject({ code: "ResourceExhausted", reason: "SESSION_FULL" });
    // Nothing to wait for: the session stays full.
    expect(refusal.retryMs).toBeUndefined();
    const other = await collect(client.runTurn({ prompt: "say other" }));
    expect(other.at(-1)!.kind.case).toBe("result");
  });
});

function workspaces(root: string): string[] {
  const directory = join(root, "data", "sessions");
  return existsSync(directory) ? readdirSync(directory) : [];
}
