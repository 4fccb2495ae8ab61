import { randomBytes, randomUUID } from "node:crypto";
import { text as readText } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { open } from "../http/support.ts";
import { collect, valuesOf } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect, PROTOCOLS } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { type Collector, startCollector } from "./collector.ts";
import type { Span } from "./otlp-spans.ts";

const SECRET = "a-word-that-is-nowhere-else";
const SHOW_TRACE = "bash tr '\\0' '\\n' < /proc/$PPID/environ | grep ^TRACE || echo no trace";

describe("a turn's trace", () => {
  let collector: Collector;
  let server: TestServer;
  beforeAll(async () => {
    collector = await startCollector();
    server = await startTestServer({ BREAKGLASS_OTLP_URL: collector.url });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await collector[Symbol.asyncDispose]();
  });

  /** The spans of a turn, once the turn's own has come. */
  async function traceOf(turnId: string): Promise<readonly Span[]> {
    const root = await eventually(
      async () => rootOf(collector.spans, turnId),
      (span) => span !== undefined,
      20_000,
    );
    return collector.spans.filter(({ traceId }) => traceId === root!.traceId);
  }

  it("has a span of the turn, and below it its record, wait, agent, first text, tools", async () => {
    using connection = connect(server.url);
    const prompt = `say ${SECRET}\nbash echo ${SECRET}\nbash true\nsay ${SECRET}`;
    const events = await collect(connection.client.runTurn({ prompt, model: "haiku" }));
    const { turnId, sessionId } = events[0]!;
    const spans = await traceOf(turnId);
    const root = rootOf(spans, turnId)!;
    expect(root).toMatchObject({ name: "invoke_agent breakglass", parentSpanId: "", status: 0 });
    expect(root.attributes).toMatchObject({
      "gen_ai.operation.name": "invoke_agent",
      "gen_ai.provider.name": "anthropic",
      "gen_ai.agent.name": "breakglass",
      "gen_ai.conversation.id": sessionId,
      "gen_ai.request.model": "haiku",
      "gen_ai.usage.input_tokens": expect.any(Number),
      "gen_ai.usage.output_tokens": expect.any(Number),
      "breakglass.turn.id": turnId,
      "breakglass.turn.state": "SUCCEEDED",
    });
    const below = spans.filter((span) => span !== root);
    expect(below.map(({ name }) => name).sort()).toEqual([
      ...["execute_tool Bash", "execute_tool Bash", "first text", "record", "start agent", "wait"],
    ]);
    for (const span of below) {
      expect(span.parentSpanId).toBe(root.spanId);
      expect(span.startMs).toBeGreaterThanOrEqual(root.startMs);
      expect(span.endMs).toBeLessThanOrEqual(root.endMs);
      expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
    }
    const tools = below.filter(({ name }) => name.startsWith("execute_tool"));
    expect(tools[0]!.attributes).toMatchObject({
      "gen_ai.operation.name": "execute_tool",
      "gen_ai.tool.name": "Bash",
      "gen_ai.tool.call.id": expect.any(String),
    });
    expect(Buffer.concat(collector.bodies).toString("latin1")).not.toContain(SECRET);
  });

  it("has a span for each approval, below its tool", async () => {
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = 'ask Bash {"command": "true"}';
    const reading = collect(client.runTurn({ prompt, permissionMode: PermissionMode.ASK }));
    const { approvals } = await eventually(
      () => client.listApprovals({}),
      (page) => page.approvals.length > 0,
    );
    const { turnId, kind } = approvals[0]!.event!;
    if (kind.case !== "approvalRequest") throw new Error("nothing waits");
    const { approvalId } = kind.value;
    await client.resolveApproval({ turnId, approvalId, decision: { case: "deny", value: {} } });
    await reading;
    const spans = await traceOf(turnId);
    const approval = spans.find(({ name }) => name === "wait for approval")!;
    const tool = spans.find(({ name }) => name === "execute_tool Bash")!;
    expect(tool.status).toBe(2);
    expect(approval.parentSpanId).toBe(tool.spanId);
    expect(approval.attributes).toMatchObject({
      "breakglass.approval.id": approvalId,
      "breakglass.approval.decision": "DENIED",
    });
  });

  it("says that a turn failed, and why", async () => {
    using connection = connect(server.url);
    const events = await collect(connection.client.runTurn({ prompt: "say one\nexit 3" }));
    const root = rootOf(await traceOf(events[0]!.turnId), events[0]!.turnId)!;
    expect(root).toMatchObject({ status: 2, attributes: { "error.type": "AGENT_EXITED" } });
  });

  it("is one, whoever asks for the turn again by its request id", async () => {
    using connection = connect(server.url);
    const request = { prompt: "say one", requestId: randomUUID() };
    const [events, others] = await Promise.all([
      collect(connection.client.runTurn(request)),
      collect(connection.client.runTurn(request)),
    ]);
    expect(others[0]!.turnId).toBe(events[0]!.turnId);
    const { turnId } = events[0]!;
    await traceOf(turnId);
    // Another turn's, which is sent behind whatever there is of the first.
    const last = await collect(connection.client.runTurn({ prompt: "say two" }));
    await traceOf(last[0]!.turnId);
    const roots = collector.spans.filter(
      (span) => span.attributes["breakglass.turn.id"] === turnId,
    );
    expect(roots).toHaveLength(1);
  });

  const WAYS: readonly (readonly [string, Run])[] = [
    ...PROTOCOLS.map(({ name, connect: by }): readonly [string, Run] => [
      name,
      async (url, prompt, headers) => {
        using connection = by(url, headers);
        return await collect(connection.client.runTurn({ prompt }));
      },
    ]),
    ["plain HTTP", runPlain],
  ];

  it.each(WAYS)("goes on from the caller's, and into the agent: %s", async (_name, run) => {
    const traceId = randomBytes(16).toString("hex");
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: "vendor=1" };
    const { turnId, shown } = await run(server.url, SHOW_TRACE, headers).then(outcomeOf);
    const spans = await traceOf(turnId);
    const root = rootOf(spans, turnId)!;
    expect(root).toMatchObject({ traceId, parentSpanId: "00f067aa0ba902b7" });
    expect(shown.split("\n").sort()).toEqual(
      [`TRACEPARENT=00-${traceId}-${root.spanId}-01`, "TRACESTATE=vendor=1"].sort(),
    );
  });

  it("is not sent where the caller has its own not recorded, and goes on into the agent", async () => {
    using connection = connect(server.url, {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
    });
    const events = await collect(connection.client.runTurn({ prompt: SHOW_TRACE }));
    expect(outcomeOf(events).shown).toMatch(
      /^TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/,
    );
    const last = await collect(connection.client.runTurn({ prompt: "say two" }));
    using other = connect(server.url);
    const sent = await collect(other.client.runTurn({ prompt: "say three" }));
    await traceOf(sent[0]!.turnId);
    expect(rootOf(collector.spans, last[0]!.turnId)).toBeUndefined();
  });
});

describe("a server that sends no traces", () => {
  it("hands the caller's on as it is, and a prompt without one none", async () => {
    await using server = await startTestServer();
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    using traced = connect(server.url, { traceparent });
    using untraced = connect(server.url);
    const show = async ({ client }: typeof traced) =>
      outcomeOf(await collect(client.runTurn({ prompt: SHOW_TRACE }))).shown;
    expect(await show(traced)).toBe(`TRACEPARENT=${traceparent}`);
    expect(await show(untraced)).toBe("no trace");
  });
});

describe("spans in JSON", () => {
  it("come as they do otherwise, with the headers that are set", async () => {
    await using collector = await startCollector();
    await using server = await startTestServer({
      BREAKGLASS_OTLP_URL: `${collector.url}/`,
      BREAKGLASS_OTLP_PROTOCOL: "http/json",
      BREAKGLASS_OTLP_HEADERS: "authorization=Bearer%20beta, x-scope-orgid=ops",
    });
    using connection = connect(server.url);
    const events = await collect(connection.client.runTurn({ prompt: "say one" }));
    // What is left is sent as the server ends.
    await server.drain();
    const root = rootOf(collector.spans, events[0]!.turnId);
    expect(root).toMatchObject({ name: "invoke_agent breakglass", parentSpanId: "" });
    expect(root!.attributes["breakglass.cost.usd"]).toBe(0.25);
    expect(collector.requests[0]).toMatchObject({
      url: "/v1/traces",
      authorization: "Bearer beta",
      "x-scope-orgid": "ops",
    });
  });
});

type Run = (
  url: string,
  prompt: string,
  headers: Readonly<Record<string, string>>,
) => Promise<TurnEvent[] | { turnId: string; shown: string }>;

async function runPlain(
  url: string,
  prompt: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ turnId: string; shown: string }> {
  const answer = await open(`${url}/v1/turns`, { headers, body: JSON.stringify({ prompt }) });
  const lines = (await readText(answer))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
  const result = lines.find(({ kind }) => kind === "tool_result");
  return { turnId: lines[0].turn_id, shown: result.content.trim() };
}

function outcomeOf(outcome: Awaited<ReturnType<Run>>): { turnId: string; shown: string } {
  if (!Array.isArray(outcome)) return outcome;
  const { content } = valuesOf(outcome, "toolResult")[0]!;
  return { turnId: outcome[0]!.turnId, shown: content.trim() };
}

function rootOf(spans: readonly Span[], turnId: string): Span | undefined {
  return spans.find(({ attributes }) => attributes["breakglass.turn.id"] === turnId);
}
