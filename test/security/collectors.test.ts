import { describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";
import { type Answering, startCollector } from "../telemetry/collector.ts";
import { scrape } from "../telemetry/scrape.ts";

const FAILED = 'breakglass_trace_spans_total{outcome="failed"}';

/** Never ends. Tells `taken` how much of it was taken. */
const endless =
  (taken: (bytes: number) => void): Answering =>
  (response) => {
    const piece = Buffer.alloc(64 * 1024, "x");
    const write = () => {
      for (let hasRoom = true; hasRoom && !response.destroyed; ) {
        taken(piece.length);
        hasRoom = response.write(piece);
      }
    };
    response.writeHead(200).on("drain", write);
    write();
  };

describe("a collector that is unwell", () => {
  it.each<[string, Answering]>([
    ["never answers", () => {}],
    ["answers without end", endless(() => {})],
    ["answers with nonsense", (response) => void response.end(Buffer.alloc(1000, 0xff))],
    ["refuses", (response) => void response.writeHead(400).end("no")],
    ["is overloaded", (response) => void response.writeHead(503).end()],
    ["sends elsewhere", (response) => void response.writeHead(307, { location: "/" }).end()],
    ["hangs up", (response) => void response.destroy()],
    ["speaks no HTTP", (response) => void response.socket?.end("\u0000\u0000")],
  ])("holds no turn up, and no end of the server, where it %s", async (_what, answering) => {
    await using collector = await startCollector(answering);
    await using server = await startTestServer({ BREAKGLASS_OTLP_URL: collector.url });
    using connection = connect(server.url);
    for (let turn = 0; turn < 3; turn++) {
      const events = await collect(connection.client.runTurn({ prompt: "say one" }));
      expect(events.at(-1)?.kind.case).toBe("result");
    }
    const begun = performance.now();
    await server.drain();
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it("is read no further than its status", async () => {
    let taken = 0;
    await using collector = await startCollector(
      endless((bytes) => {
        taken += bytes;
      }),
    );
    await using server = await startTestServer({ BREAKGLASS_OTLP_URL: collector.url });
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say one" }));
    await server.drain();
    expect(collector.requests).not.toEqual([]);
    // What the kernel's buffers hold of it.
    expect(taken).toBeLessThan(32 * 1024 * 1024);
  });

  it("is told of in the log and the metrics, where it is not there, and gets what comes later", async () => {
    const gone = await startCollector();
    const port = Number(new URL(gone.url).port);
    await gone[Symbol.asyncDispose]();
    await using server = await startTestServer({ BREAKGLASS_OTLP_URL: gone.url });
    using connection = connect(server.url);
    await collect(connection.client.runTurn({ prompt: "say one" }));
    await eventually(
      () => scrape(server.url),
      ({ samples }) => (samples.get(FAILED) ?? 0) > 0,
      30_000,
    );
    expect(server.log.join("")).toMatch(/"spans could not be sent","spans":\{"ECONNREFUSED":1\}/);
    await using back = await startCollector(undefined, port);
    await collect(connection.client.runTurn({ prompt: "say two" }));
    await eventually(
      async () => back.spans.length,
      (count) => count > 0,
      20_000,
    );
  }, 60_000);
});

describe("an agent that calls without end", () => {
  it("has a bounded number of spans, and what is left out is counted", async () => {
    await using collector = await startCollector();
    await using server = await startTestServer({ BREAKGLASS_OTLP_URL: collector.url });
    using connection = connect(server.url);
    const prompt = Array.from({ length: 2000 }, (_, id) => `print ${JSON.stringify(call(id))}`);
    const events = await collect(connection.client.runTurn({ prompt: prompt.join("\n") }));
    expect(events.filter(({ kind }) => kind.case === "tool")).toHaveLength(2000);
    await server.drain();
    const tools = collector.spans.filter(({ name }) => name.startsWith("execute_tool"));
    expect(tools).toHaveLength(256);
    expect(Math.max(...tools.map(({ name }) => name.length))).toBeLessThan(200);
    const root = collector.spans.find(({ name }) => name.startsWith("invoke_agent"))!;
    expect(root.attributes["breakglass.spans_left_out"]).toBe(2000 - 256);
  }, 60_000);
});

/** A tool call that is never answered, of a tool with a long name. */
function call(id: number) {
  const content = [{ type: "tool_use", id: `t${id}`, name: "x".repeat(500), input: {} }];
  const model = "claude-sonnet-5-5";
  const message = { id: `m${id}`, type: "message", role: "assistant", model, content };
  return { type: "assistant", message, parent_tool_use_id: null };
}
