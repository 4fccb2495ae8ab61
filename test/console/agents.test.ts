import { describe, expect, it } from "vitest";
import { isLive, PermissionMode, TurnState } from "#client";
import { planAgents } from "../../src/server/served-agents.ts";
import { bothAgents } from "../support/both-agents.ts";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { createGate, script } from "../support/gate.ts";
import { startTestServer } from "../support/test-server.ts";
import { windowsOf } from "./console.ts";
import { clientAt, startTo } from "./people.ts";

describe.skipIf(lacksBrowser)(`what an agent can do in the console${withoutBrowser}`, () => {
  it("has a prompt wait for the agent's own work, and says so", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "4" });
    await using windows = await windowsOf(server);
    const client = clientAt(server.url);
    const gate = createGate(server.root);
    const prompt = script(`background 20 say own | ${gate.step}`, "say one");
    const { sessionId } = await startTo(client, prompt, "result");
    const turns = async () => (await client.listTurns({ sessionId })).turns;
    await expect
      .poll(async () => (await turns()).filter(({ state }) => isLive(state)))
      .toHaveLength(1);

    const page = await (await windows.newPerson()).newPage();
    const readings: string[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/AttachTurn")) readings.push(request.url());
    });
    await page.goto(`${server.url}/sessions/${sessionId}`);
    await page.getByText("Work of the agent's own").first().waitFor();
    await page.getByText("own", { exact: true }).first().waitFor();
    const before = readings.length;
    for await (const _ of client.runTurn({ sessionId, prompt: "say next" })) break;
    const [queued] = await turns();
    expect(queued!.state).toBe(TurnState.QUEUED);
    // In the session it stands behind what runs, and is not read.
    await page.getByText("Waiting for its turn").first().waitFor();
    expect(readings.length).toBe(before);
    const other = await windows.open(`/turns/${queued!.turnId}`);
    await other.getByText("Waiting for its turn").first().waitFor();
    // Nobody is told anything yet, and nothing interrupted: it can be taken back.
    const actions = other.getByRole("region", { name: "What to do with this turn" });
    await actions.getByRole("button", { name: "Take back" }).waitFor();
    expect(await actions.getByRole("textbox").count()).toBe(0);
    expect(await actions.getByRole("button", { name: "Interrupt" }).count()).toBe(0);
    await page.goto(server.url);
    await page.getByRole("link", { name: "say next" }).waitFor();

    gate.open();
    await other.getByRole("heading", { name: "Result" }).waitFor();
    await other.getByText("next", { exact: true }).first().waitFor();
    expect(windows.complaints).toEqual([]);
  });

  it("takes a queued prompt back by one press", async () => {
    await using server = await startTestServer({ BREAKGLASS_MAX_WARM_PROCESSES: "4" });
    await using windows = await windowsOf(server);
    const client = clientAt(server.url);
    const gate = createGate(server.root);
    const { sessionId } = await startTo(
      client,
      script(`background 20 say own | ${gate.step}`, "say one"),
      "result",
    );
    const newest = async () => (await client.listTurns({ sessionId })).turns[0]!;
    await expect.poll(async () => isLive((await newest()).state)).toBe(true);
    for await (const _ of client.runTurn({ sessionId, prompt: "say next" })) break;
    const { turnId } = await newest();
    const page = await windows.open(`/turns/${turnId}`);
    await page.getByRole("button", { name: "Take back" }).click();
    await page.getByRole("heading", { name: "Canceled" }).waitFor();
    expect((await newest()).state).toBe(TurnState.CANCELED);
    gate.open();
    expect(windows.complaints).toEqual([]);
  });

  it("offers nothing that an agent cannot do: no steer, and no change of what it asks about", async () => {
    await using server = await startTestServer({}, bothAgents);
    await using windows = await windowsOf(server);
    const client = clientAt(server.url);
    const turnOf = async (agentKind: string, prompt: string) => {
      for await (const { event } of client.runTurn({
        prompt,
        agentKind,
        permissionMode: PermissionMode.ASK,
      })) {
        const kind = event?.kind.case;
        if (kind === "approvalRequest" || kind === "text") return event!.turnId;
      }
      throw new Error("the turn ended");
    };
    const line = await turnOf("line", script("say I work", "hang"));
    const page = await windows.open(`/turns/${line}`);
    const actions = page.getByRole("region", { name: "What to do with this turn" });
    await actions.getByText("This agent takes no messages while it works.").waitFor();
    expect(await actions.getByRole("textbox").count()).toBe(0);
    await actions.getByRole("button", { name: "Interrupt" }).waitFor();
    await actions.getByRole("button", { name: "Interrupt" }).click();
    await page.getByRole("heading", { name: "Canceled" }).waitFor();

    const asking = await turnOf("line", 'ask Bash {"command":"true"}');
    await page.goto(`${server.url}/turns/${asking}`);
    await page.getByRole("button", { name: "Allow", exact: true }).waitFor();
    expect(await page.getByRole("button", { name: "Change …" }).count()).toBe(0);
    // The other agent's can be.
    const claude = await turnOf("", 'ask Bash {"command":"true"}');
    await page.goto(`${server.url}/turns/${claude}`);
    await page.getByRole("button", { name: "Change …" }).waitFor();
    expect(windows.complaints).toEqual([]);
  });

  it("says that a session is deleted of which something is still to be removed", async () => {
    await using server = await startTestServer({}, bothAgents);
    const sessionOf = async (agentKind: string) => {
      const events = await Array.fromAsync(
        clientAt(server.url).runTurn({ prompt: "say one", agentKind }),
      );
      return events[0]!.event!.sessionId;
    };
    const sessionId = await sessionOf("line");
    // Nobody is there who knows what the agent of the session left.
    await server.restart({}, planAgents);
    await using windows = await windowsOf(server);
    const page = await windows.open(`/sessions/${sessionId}`);
    await page.getByRole("button", { name: "Delete …" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete the session" });
    await dialog.getByRole("button", { name: "Delete it for good" }).click();
    await dialog.getByRole("status").getByText("The session is deleted.").waitFor();
    expect(await dialog.getByRole("button", { name: "Delete it for good" }).count()).toBe(0);
    await dialog.getByRole("button", { name: "To the desk" }).click();
    await page.waitForURL("**/");
    await dialog.waitFor({ state: "detached" });
    expect(windows.complaints).toEqual([]);
  });
});
