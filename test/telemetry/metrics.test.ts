import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { onPath } from "./promtool.ts";
import { scrape } from "./scrape.ts";

const SECRET = "a-word-that-is-nowhere-else";
const NOWHERE = "01900000-0000-7000-8000-000000000000";

describe("the metrics", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it("count turns by how they ended, their events, times, tokens and cost", async () => {
    using connection = connect(server.url);
    const before = await fresh(server);
    await collect(connection.client.runTurn({ prompt: "say one\nsay two" }));
    await collect(connection.client.runTurn({ prompt: "exit 3" }));
    const after = await fresh(server);
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('breakglass_turns_started_total{origin="CALLER"}')).toBe(2);
    expect(grown('breakglass_turns_ended_total{state="SUCCEEDED",reason="none"}')).toBe(1);
    expect(grown('breakglass_turns_ended_total{state="FAILED",reason="AGENT_EXITED"}')).toBe(1);
    expect(grown('breakglass_events_total{kind="text"}')).toBe(2);
    expect(grown("breakglass_turn_first_text_seconds_count")).toBe(1);
    expect(grown("breakglass_turn_wait_seconds_count")).toBe(2);
    expect(grown('breakglass_turn_duration_seconds_count{state="FAILED"}')).toBe(1);
    expect(grown("breakglass_cost_usd_total")).toBe(0.25);
    expect(grown('breakglass_tokens_total{type="input"}')).toBeGreaterThan(0);
    expect(grown("breakglass_store_commit_seconds_count")).toBeGreaterThanOrEqual(4);
    expect(grown("breakglass_store_commit_calls_sum")).toBeGreaterThanOrEqual(4);
  });

  it("tell what runs, what waits for an approval, and for how long it did", async () => {
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = 'ask Bash {"command": "true"}';
    const reading = collect(client.runTurn({ prompt, permissionMode: PermissionMode.ASK }));
    const waiting = await eventually(
      () => fresh(server),
      (samples) => samples.get("breakglass_approvals_waiting") === 1,
    );
    expect(waiting.get('breakglass_turns{state="AWAITING_APPROVAL"}')).toBe(1);
    expect(waiting.get("breakglass_subscriptions")).toBe(1);
    // Those of turns before may be ending.
    expect(waiting.get('breakglass_agent_processes{state="working"}')).toBeGreaterThan(0);
    const { approvals } = await client.listApprovals({});
    const { turnId, kind } = approvals[0]!.event!;
    if (kind.case !== "approvalRequest") throw new Error("nothing waits");
    const { approvalId } = kind.value;
    await client.resolveApproval({ turnId, approvalId, decision: { case: "deny", value: {} } });
    await reading;
    const after = await fresh(server);
    expect(after.get("breakglass_approvals_waiting")).toBe(0);
    expect(after.get("breakglass_approval_oldest_wait_seconds")).toBe(0);
    expect(after.get('breakglass_approvals_decided_total{decision="DENIED"}')).toBe(1);
    expect(after.get('breakglass_approval_wait_seconds_count{decision="DENIED"}')).toBe(1);
  });

  it("count refusals of calls and of plain requests by their reasons", async () => {
    using connection = connect(server.url);
    const { client } = connection;
    const before = await fresh(server);
    await client.getTurn({ turnId: NOWHERE }).catch(() => {});
    await collect(client.attachTurn({ turnId: NOWHERE })).catch(() => {});
    await fetch(`${server.url}/v1/turns/${NOWHERE}/events`);
    await fetch(`${server.url}/v1/turns/x/events`, { headers: { origin: "https://evil.example" } });
    const after = await fresh(server);
    const grown = (reason: string) => {
      const name = `breakglass_requests_refused_total{reason="${reason}"}`;
      return (after.get(name) ?? 0) - (before.get(name) ?? 0);
    };
    expect(grown("NOT_FOUND")).toBe(3);
    expect(grown("ORIGIN_NOT_ALLOWED")).toBe(1);
  });

  it("are as many series whatever callers and agents name, and hold nothing of theirs", async () => {
    using connection = connect(server.url);
    const ask = (model: string) =>
      collect(connection.client.runTurn({ prompt: `say ${SECRET}\nbash echo ${SECRET}`, model }));
    await ask("one");
    const before = await fresh(server);
    for (const model of [SECRET, "two", "three"]) await ask(model);
    const { body, samples } = await scrapeFresh(server);
    expect([...samples.keys()].sort()).toEqual([...before.keys()].sort());
    expect(body).not.toContain(SECRET);
    expect(body).not.toContain("local");
  });

  it.skipIf(!onPath("promtool"))("are as Prometheus would have them", async () => {
    const { body } = await scrapeFresh(server);
    const told = await new Promise<string>((resolve) => {
      const child = execFile("promtool", ["check", "metrics"], (error, stdout, stderr) =>
        resolve(`${error?.message ?? ""}${stdout}${stderr}`),
      );
      child.stdin!.end(body);
    });
    expect(told).toBe("");
  });
});

describe("a scrape in the middle of a flood", () => {
  it("is answered, and the flood goes on", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    let isOver = false;
    const flood = collect(connection.client.runTurn({ prompt: "many 40000" })).finally(() => {
      isOver = true;
    });
    let scrapes = 0;
    for (; !isOver; scrapes++) expect((await scrape(server.url)).status).toBe(200);
    expect(scrapes).toBeGreaterThan(0);
    expect((await flood).at(-1)?.kind.case).toBe("result");
    const { samples } = await scrapeFresh(server);
    expect(samples.get('breakglass_events_total{kind="text"}')).toBe(40_000);
  });
});

/** Answers are up to a second old. */
async function scrapeFresh({ url }: TestServer) {
  const old = await scrape(url);
  return eventually(
    () => scrape(url),
    ({ body }) => body !== old.body,
  );
}

async function fresh(server: TestServer): Promise<ReadonlyMap<string, number>> {
  return (await scrapeFresh(server)).samples;
}
