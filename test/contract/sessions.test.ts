import { randomUUID } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";

let server: TestServer;
let connection: TestClient;
let client: TestClient["client"];
beforeAll(async () => {
  server = await startTestServer();
  connection = connect(server.url);
  client = connection.client;
});
afterAll(async () => {
  connection[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

async function run(prompt: string, sessionId = "") {
  return collect(client.runTurn({ prompt, sessionId }));
}

describe("sessions", () => {
  it("open under an id that was not seen before, and remember", async () => {
    const sessionId = randomUUID();
    const first = await run("say one", sessionId);
    const second = await run("say two", sessionId.toUpperCase());
    expect(first[0]!.sessionId).toBe(sessionId);
    expect(second[0]!.sessionId).toBe(sessionId);
    expect(valuesOf(first, "session")[0]?.resumed).toBe(false);
    expect(valuesOf(second, "session")[0]?.resumed).toBe(true);
    const { session } = await client.getSession({ sessionId });
    expect(session).toMatchObject({
      sessionId,
      principal: "local",
      agent: "breakglass",
      model: "sonnet",
      turnCount: 2,
      runningTurnId: "",
    });
  });

  it("keep their workspace from turn to turn", async () => {
    const [first] = await run("bash echo kept > note");
    const again = await run("bash cat note", first!.sessionId);
    expect(valuesOf(again, "toolResult")[0]?.content).toBe("kept\n");
  });

  it("keep the model and the agent that opened them", async () => {
    const { sessionId } = (
      await collect(client.runTurn({ prompt: "say a", model: "opus", agent: "mine" }))
    )[0]!;
    await run("say b", sessionId);
    await collect(client.runTurn({ prompt: "say c", sessionId, model: "haiku" }));
    const { turns } = await client.listTurns({ sessionId });
    expect(turns.map(({ model, agent }) => [model, agent])).toEqual([
      ["haiku", "mine"],
      ["opus", "mine"],
      ["opus", "mine"],
    ]);
  });

  it("go with their turns, their workspace and the agent's history when deleted", async () => {
    const events = await run(script("bash echo x > file", "say hi"));
    const { sessionId, turnId } = events[0]!;
    const { agentSessionId } = valuesOf(events, "session")[0]!;
    const before = await left(agentSessionId);
    await client.deleteSession({ sessionId });
    expect(before.history).toBe(true);
    expect(await left(agentSessionId)).toEqual({
      history: false,
      workspaces: before.workspaces - 1,
    });
    expect(await refusalOf(client.getTurn({ turnId }))).toMatchObject({ code: "NotFound" });
    expect(await refusalOf(client.getSession({ sessionId }))).toMatchObject({ code: "NotFound" });
    const again = await run("say new", sessionId);
    expect(valuesOf(again, "session")[0]?.resumed).toBe(false);
  });

  it("do not take with them what the agent linked in their workspace's place", async () => {
    const precious = join(server.root, "precious");
    await mkdir(precious);
    await writeFile(join(precious, "file"), "");
    const swap = `cd .. && rm -r "$OLDPWD" && ln -s ${precious} "$OLDPWD"`;
    const [{ sessionId } = { sessionId: "" }] = await run(`bash ${swap}`);
    const [next] = (await run("say in", sessionId)).slice(-1);
    await client.deleteSession({ sessionId });
    expect(await readdir(precious)).toEqual(["file"]);
    expect(next?.kind.case).toBe("error");
  });

  it("that were deleted do not run a late retry a second time", async () => {
    const request = { prompt: "say once", requestId: randomUUID() };
    const [first] = await collect(client.runTurn(request));
    await client.deleteSession({ sessionId: first!.sessionId });
    expect(await refusalOf(client.runTurn(request))).toMatchObject({ reason: "NOT_FOUND" });
  });

  async function left(agentSessionId: string) {
    const history = join(server.root, ".claude", "projects", "scripted");
    return {
      history: (await readdir(history)).includes(`${agentSessionId}.jsonl`),
      workspaces: (await readdir(join(server.root, "data", "sessions"))).length,
    };
  }
});
