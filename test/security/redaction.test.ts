import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ToolEventSchema, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { Redaction } from "../../src/redaction/redaction.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { WebhookReceiver } from "../notify/webhook-receiver.ts";
import { knownValue, partIn, wellKnown } from "../redaction/secrets.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { startServe } from "./told-server.ts";

const secret = knownValue();
const token = wellKnown()[0]!.secret;
const SETTINGS = { BREAKGLASS_REDACT: "1", DATABASE_PASSWORD: secret };

/** Everything that the store has on disk. */
function stored(root: string): string {
  const folder = join(root, "data");
  return readdirSync(folder)
    .filter((name) => name.startsWith("breakglass.db"))
    .map((name) => readFileSync(join(folder, name), "latin1"))
    .join();
}

function expectNone(text: string): void {
  for (const each of [secret, token]) expect(partIn(text, each)).toBeUndefined();
}

/** As bytes and as what they say. */
const allOf = (events: readonly TurnEvent[]) =>
  bytesOf(events)
    .map((base64) => Buffer.from(base64, "base64").toString("latin1"))
    .join();

describe("with BREAKGLASS_REDACT=1", () => {
  it("nothing that is said in a turn brings a secret to a reader or to the disk, and the agent gets what was sent", async () => {
    await using server = await startTestServer(SETTINGS);
    using connection = connect(server.url);
    const hash = createHash("sha256").update(secret).digest("hex").slice(0, 20);
    const prompt = script(
      `say the password is ${secret} and the token ${token}.`,
      `think of ${secret}`,
      "delta Look: ",
      `delta ${secret} and`,
      "delta  on",
      `say Look: ${secret} and on`,
      `bash printf %s '${secret}' | sha256sum; echo ${token}; printf %s '${secret}' | base64`,
      `result done with ${secret} ${token}`,
    );
    const events = await collect(connection.client.runTurn({ prompt, textDeltas: true }));
    expectNone(allOf(events));
    expect(valuesOf(events, "toolResult")[0]?.content).toContain(hash);
    expect(valuesOf(events, "result")[0]?.result).toBe("done with [redacted] [redacted]");
    expect(valuesOf(events, "text").map(({ text }) => text)).toEqual([
      "the password is [redacted] and the token [redacted].",
      "Look: [redacted] and on",
    ]);
    for (const { inputJson } of valuesOf(events, "tool")) {
      expect(JSON.parse(inputJson).command).toContain("printf %s '[redacted]'");
    }
    const [{ turnId }] = events as [TurnEvent];
    const { turn } = await connection.client.getTurn({ turnId });
    expect(turn?.prompt).toContain("[redacted]");
    expectNone(stored(server.root));
    expect(server.log.filter((line) => line.includes(secret))).toEqual([]);
  });

  it("a secret that is cut into two texts, at any of its places, is in neither, nor in any piece of them", async () => {
    await using server = await startTestServer(SETTINGS);
    using connection = connect(server.url);
    for (const each of [secret, token]) {
      const steps: string[] = [];
      for (let cut = 1; cut < each.length; cut++) {
        const halves = [`x ${each.slice(0, cut)}`, each.slice(cut)];
        steps.push(...halves.map((half) => `delta ${half}`), `say ${halves.join("")}`);
        steps.push(...halves.map((half) => `say ${half}`), "say so");
      }
      // Not in the prompt, where the halves are apart.
      const path = join(server.root, "steps");
      writeFileSync(path, script(...steps));
      const stream = connection.client.runTurn({ prompt: `file ${path}`, textDeltas: true });
      const events = await collect(stream);
      const spoken = valuesOf(events, "text").map(({ text }) => text);
      expect(spoken).toHaveLength(4 * (each.length - 1));
      expect(partIn(spoken.join(""), each)).toBeUndefined();
      expect(partIn(stored(server.root), each)).toBeUndefined();
    }
  });

  it("a secret that is cut into two pieces of a text that is being written is in none", async () => {
    await using server = await startTestServer(SETTINGS);
    using connection = connect(server.url);
    for (const [index, each] of [secret, token, secret, token].entries()) {
      const gate = createGate(server.root);
      const cut = 5 + 8 * index;
      const steps = [
        `delta see ${each.slice(0, cut)}`,
        `delta ${each.slice(cut)} and`,
        "delta  more ",
      ];
      const path = join(server.root, `steps-${index}`);
      writeFileSync(path, script(...steps, gate.step, `say see ${each} and more`));
      const stream = connection.client.runTurn({ prompt: `file ${path}`, textDeltas: true });
      await using reader = new EventReader(stream);
      let shown = "";
      while (!shown.includes("more")) {
        const { kind } = await reader.until("textDelta");
        shown += (kind.value as { text: string }).text;
      }
      gate.open();
      expect(shown).toBe("see [redacted] and more ");
      expectNone(allOf(await reader.rest()));
    }
  });

  it("approvals, messages, errors and the end of a canceled turn have none either", async () => {
    await using server = await startTestServer(SETTINGS);
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = script(`ask Bash {"command":"login ${secret}"}`, "message", "hang");
    const request = { prompt, permissionMode: PermissionMode.ASK };
    await using reader = new EventReader(client.runTurn(request));
    const { turnId, kind } = await reader.until("approvalRequest");
    if (kind.case !== "approvalRequest") throw new Error("no approval is asked for");
    const { approvalId, inputJson } = kind.value;
    expect(JSON.parse(inputJson)).toEqual({ command: "login [redacted]" });
    await client.resolveApproval({ turnId, approvalId, decision: { case: "allow", value: {} } });
    const { content } = (await reader.until("toolResult")).kind.value as { content: string };
    // It ran what was asked, and not what was shown.
    expect(content).toContain("ran ");
    await client.steerTurn({ turnId, message: `the token is ${token}`, requestId: "" });
    await reader.until("steer");
    await client.cancelTurn({ turnId });
    const events = await reader.rest();
    expectNone(allOf(events));
    const failing = script(`stderr cannot log in: ${secret}`, "exit 3");
    const failed = await collect(client.runTurn({ prompt: failing }));
    expect(valuesOf(failed, "error")[0]?.stderrTail).toContain("log in: [redacted]");
    expectNone(allOf(failed));
    expectNone(stored(server.root));
  });

  it("what waits for more is on record before an end that is not the agent's", async () => {
    await using server = await startTestServer({
      ...SETTINGS,
      BREAKGLASS_IDLE_TIMEOUT_SECONDS: "1",
    });
    using connection = connect(server.url);
    const prompt = script("say it ends with 12345678", "hang");
    const events = await collect(connection.client.runTurn({ prompt }));
    expect(cases(durable(events)).slice(-2)).toEqual(["text", "error"]);
    expect(valuesOf(events, "text")[0]?.text).toBe("it ends with 12345678");
  });

  it("an approver sees what is to be run, whatever it looks like", async () => {
    await using server = await startTestServer(SETTINGS);
    using connection = connect(server.url);
    const hidden = [
      "echo _authToken=x; rm -rf /; echo postgres://a:b$(reboot)@host",
      "cat <<END\n-----BEGIN PRIVATE KEY-----\nEND\nrm -r /var/lib/all/that/there/is/of/any/worth/to/us\n-----END PRIVATE KEY-----",
    ];
    const command = hidden.join("; ");
    const prompt = script(`ask Bash ${JSON.stringify({ command })}`);
    const request = { prompt, permissionMode: PermissionMode.ASK };
    await using reader = new EventReader(connection.client.runTurn(request));
    const { kind, turnId } = await reader.until("approvalRequest");
    expect(JSON.parse((kind.value as { inputJson: string }).inputJson)).toEqual({ command });
    await connection.client.cancelTurn({ turnId });
  });
});

it("an approver sees, and the record has, no more than is wanted of a credential", async () => {
  await using server = await startTestServer(SETTINGS);
  using connection = connect(server.url);
  const [key, address] = ["key of Ed25519", "PostgreSQL"].map(
    (kind) => wellKnown().find((sample) => sample.kind === kind)!.secret,
  ) as [string, string];
  const password = new URL(address).password;
  const command = `curl -H 'PRIVATE-TOKEN: ${token}' x; echo '${key}' >k; psql ${address}`;
  const prompt = script(`ask Bash ${JSON.stringify({ command })}`);
  const request = { prompt, permissionMode: PermissionMode.ASK };
  await using reader = new EventReader(connection.client.runTurn(request));
  const { kind, turnId } = await reader.until("approvalRequest");
  expect(JSON.parse((kind.value as { inputJson: string }).inputJson)).toEqual({
    command: `curl -H 'PRIVATE-TOKEN: [redacted]' x; echo '[redacted]' >k; psql postgres://admin:[redacted]@db.internal/billing`,
  });
  await connection.client.cancelTurn({ turnId });
  await reader.rest();
  const all = stored(server.root);
  for (const each of [token, key, password]) expect(partIn(all, each)).toBeUndefined();
});

it("nothing that a request names brings a secret to the audit", async () => {
  // A name may have no other signs.
  const password = secret.slice(0, -1);
  await using server = await startTestServer({ ADMIN_PASSWORD: password });
  using connection = connect(server.url);
  const { client } = connection;
  for (const name of [password, token]) {
    for (const named of [{ model: name }, { agent: name }]) {
      await collect(client.runTurn({ prompt: "say one", ...named }));
    }
    const calls = create(ToolEventSchema, { name, toolId: name, parentToolId: name });
    const audit = new TurnAudit("hashes", new Redaction({ values: [password] }).text);
    const ids = { turnId: "t", sessionId: "s" } as Parameters<TurnAudit["events"]>[0];
    const entries = audit.events(ids, [{ case: "tool", value: calls }], 1);
    expect(partIn(JSON.stringify(entries), name)).toBeUndefined();
  }
  const lines: string[] = [];
  for await (const { records } of client.exportAudit({})) lines.push(...records);
  for (const each of [password, token]) expect(partIn(lines.join(), each)).toBeUndefined();
  expect(lines.join("\n")).toContain('"model":"[redacted]"');
});

describe("without it", () => {
  it("the record has what was said, and neither the log nor a notification has a secret", async () => {
    await using environment = await createTestEnvironment();
    await using receiver = await WebhookReceiver.start();
    const settings = await receiver.settings(environment.root);
    await using server = await startServe(environment, {
      ...settings,
      ...{ BREAKGLASS_NOTIFY_CONTENT: "1", MY_OWN: secret, BREAKGLASS_SECRET_NAMES: "MY_OWN" },
    });
    using connection = connect(server.url);
    const prompt = script(`say ${secret}`, `result ${secret} ${token}`);
    // The log has a model's name.
    const model = token.slice(0, 40);
    const events = await collect(connection.client.runTurn({ prompt, model }));
    expect(valuesOf(events, "text")[0]?.text).toBe(secret);
    const [told] = await receiver.until(1);
    expect(told?.body).toContain("[redacted] [redacted]");
    expectNone(told!.body);
    expect(server.log()).toContain('"model":"[redacted]"');
    expectNone(server.log());
  });
});
