import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { endless, reset, silent, status, WebhookReceiver } from "./webhook-receiver.ts";

let folder: string;
let receiver: WebhookReceiver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-notify-"));
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const start = async (more: Record<string, string> = {}) =>
  startTestServer({ ...(await receiver.settings(folder)), ...more });

const SPOKEN = ["the spoken result", "what the model said", "a-tool-input", "the asked command"];

/** Runs a turn in which a tool call is asked about, and allows it. */
async function approvedTurn({ url }: TestServer): Promise<{ turnId: string; approvalId: string }> {
  using connection = connect(url);
  const { client } = connection;
  const [result, said, input, command] = SPOKEN;
  const prompt = script(
    `ask Bash {"command":"${command}","with":"${input}"}`,
    `say ${said}`,
    `result ${result}`,
  );
  const request = { prompt, permissionMode: PermissionMode.ASK };
  await using reader = new EventReader(client.runTurn(request));
  const { turnId, kind } = await reader.until("approvalRequest");
  if (kind.case !== "approvalRequest") throw new Error("no approval is asked for");
  const { approvalId } = kind.value;
  await client.resolveApproval({ turnId, approvalId, decision: { case: "allow", value: {} } });
  await reader.rest();
  return { turnId, approvalId };
}

async function plainTurn({ url }: TestServer, prompt = "say hello"): Promise<string> {
  using connection = connect(url);
  const events = await collect(connection.client.runTurn({ prompt }));
  return events[0]!.turnId;
}

describe("notifications", () => {
  it("tell of an approval that is asked for and decided, and of the end, signed, with ids and a link, and without content", async () => {
    await using server = await start({ BREAKGLASS_PUBLIC_URL: "https://ops.example/glass/" });
    const { turnId, approvalId } = await approvedTurn(server);
    const received = await receiver.until(3);
    expect(receiver.refused).toEqual([]);
    const messages = received.map(({ message }) => message);
    const common = {
      turn_id: turnId,
      session_id: expect.any(String),
      principal: "local",
      link: `https://ops.example/glass/turns/${turnId}`,
    };
    const byType = Object.fromEntries(messages.map((message) => [message.type, message.data]));
    expect(byType["approval.requested"]).toEqual({
      ...common,
      ...{ approval_id: approvalId, tool: "Bash", title: "Bash waits for an approval" },
      ...{ sequence: expect.any(Number), state: expect.any(String) },
      expire_time: expect.stringMatching(/^20.*Z$/),
    });
    expect(byType["approval.resolved"]).toMatchObject({
      ...common,
      ...{ approval_id: approvalId, decision: "ALLOWED", decided_by: "local" },
    });
    expect(byType["turn.ended"]).toMatchObject({
      ...common,
      ...{ state: "SUCCEEDED", title: "A turn succeeded" },
    });
    expect(new Set(received.map(({ id }) => id)).size).toBe(3);
    expect(received[0]?.path).toBe("/hooks?from=breakglass");
    for (const { body } of received) {
      for (const spoken of SPOKEN) expect(body).not.toContain(spoken);
    }
  });

  it("have content where that is set, and only so much", async () => {
    await using server = await start({ BREAKGLASS_NOTIFY_CONTENT: "1" });
    await approvedTurn(server);
    const all = (await receiver.until(3)).map(({ body }) => body).join();
    for (const spoken of ["the spoken result", "a-tool-input"]) expect(all).toContain(spoken);
    await plainTurn(server, script("say hi", `result ${"y".repeat(100_000)}`));
    const [, , , last] = await receiver.until(4);
    expect(last?.body).toContain("yyyy");
    expect(last?.body.length).toBeLessThan(20_000);
  });

  it("are of the kinds that are set", async () => {
    await using server = await start({ BREAKGLASS_NOTIFY_KINDS: "approval.requested" });
    await approvedTurn(server);
    await server.drain();
    expect(receiver.received.map(({ message }) => message.type)).toEqual(["approval.requested"]);
  });

  it("are sent again under the same id, whatever goes wrong, until they are taken; a redirect leads nowhere", async () => {
    await using elsewhere = await WebhookReceiver.start();
    receiver.answers.push(status(500), status(307, { location: elsewhere.url }), reset);
    await using server = await start();
    const turnId = await plainTurn(server);
    const received = await receiver.until(4);
    expect(new Set(received.map(({ id }) => id)).size).toBe(1);
    expect(received.at(-1)?.message.data.turn_id).toBe(turnId);
    await eventually(
      () => server.log.join(""),
      (log) => log.includes("taken again"),
    );
    expect(server.log.filter((line) => line.includes("not taken"))).toHaveLength(1);
    expect(elsewhere.received).toEqual([]);
    expect(elsewhere.refused).toEqual([]);
    await server.restart();
    await plainTurn(server);
    // What was taken is not sent again by the next server.
    expect((await receiver.until(5)).map(({ id }) => id).slice(4)).not.toContain(received[0]!.id);
  });

  it("come no sooner than the receiver asks for", async () => {
    receiver.answers.push(status(429, { "retry-after": "2" }));
    await using server = await start();
    await plainTurn(server);
    const [first, second] = await receiver.until(2);
    expect(second!.timestamp - first!.timestamp).toBeGreaterThanOrEqual(2);
  });

  it("are sent no more to a receiver that is gone, and are there when it is back", async () => {
    receiver.answers.push(status(410));
    await using server = await start();
    await plainTurn(server);
    await receiver.until(1);
    await plainTurn(server);
    const told = await eventually(
      () => server.log.filter((line) => line.includes("(410)")),
      (lines) => lines.length > 0,
    );
    expect(told).toHaveLength(1);
    await server.restart();
    expect(new Set((await receiver.until(3)).map(({ id }) => id)).size).toBe(2);
  });

  it("hold no turn up, whatever the receiver does", async () => {
    receiver.answer = silent;
    await using server = await start({ BREAKGLASS_NOTIFY_TIMEOUT_SECONDS: "1" });
    for (let n = 0; n < 5; n++) await plainTurn(server);
    expect(receiver.received.length).toBeLessThanOrEqual(4);
  });

  it("are taken by a receiver whose answer never ends", async () => {
    receiver.answers.push(endless(200));
    await using server = await start();
    await plainTurn(server);
    await plainTurn(server);
    const received = await receiver.until(2);
    await server.drain();
    expect(new Set(received.map(({ id }) => id)).size).toBe(2);
    expect(received).toHaveLength(2);
  });

  it("are not lost in a flood while nothing is taken, and each comes once where it is", async () => {
    receiver.answers.push(...Array.from({ length: 2 }, () => status(503)));
    await using server = await start({ BREAKGLASS_MAX_CONCURRENT_TURNS: "100" });
    const ids = await Promise.all(Array.from({ length: 40 }, () => plainTurn(server)));
    const received = await receiver.until(42);
    const taken = received.slice(2).map(({ message }) => message.data.turn_id);
    expect(new Set(taken)).toEqual(new Set(ids));
    await server.drain();
    expect(receiver.received.length).toBeLessThanOrEqual(43);
  });

  it("tell nobody the URL's user and password but the receiver", async () => {
    const url = receiver.url.replace("127.0.0.1", "who:p%40ss-word@127.0.0.1");
    receiver.answers.push(status(500));
    await using server = await startTestServer(await receiver.settings(folder, url));
    await plainTurn(server);
    const [first] = await receiver.until(2);
    const basic = `Basic ${Buffer.from("who:p@ss-word").toString("base64")}`;
    expect(first?.headers.authorization).toBe(basic);
    await server.drain();
    expect(server.log.join("")).toContain("not taken");
    expect(server.log.join("")).not.toMatch(/ss-word/);
  });
});
