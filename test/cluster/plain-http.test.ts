import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { startTwoReplicas, type TwoReplicas } from "./two-replicas.ts";

describe("plain HTTP, through the replica that is not the home", () => {
  let replicas: TwoReplicas;
  let turnId: string;
  beforeAll(async () => {
    replicas = await startTwoReplicas();
    using home = connect(replicas.home.url);
    const events = await collect(home.client.runTurn({ prompt: "say hello" }));
    turnId = events[0]!.turnId;
  });
  afterAll(() => replicas[Symbol.asyncDispose]());

  const get = (url: string, query = "", headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/turns/${turnId}/events${query}`, { headers });

  it.each(["application/x-ndjson", "text/event-stream"])("streams a turn as %s", async (accept) => {
    const [direct, through] = await Promise.all(
      [replicas.home, replicas.first].map(({ url }) => get(url, "", { accept })),
    );
    expect(through!.status).toBe(200);
    expect(through!.headers.get("content-type")).toBe(accept);
    expect(through!.headers.get("content-location")).toBe(`/v1/turns/${turnId}/events`);
    expect(through!.headers.get("breakglass-cluster-end")).toBeNull();
    // The checkpoint in front is of the moment.
    const timeless = (text: string) => text.replace(/"create_time":"[^"]*"/, "");
    expect(timeless(await through!.text())).toBe(timeless(await direct!.text()));
  });

  it("runs a turn there", async () => {
    const body = JSON.stringify({ sessionId: randomUUID(), prompt: "say hello" });
    const response = await fetch(`${replicas.first.url}/v1/turns`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const lines = (await response.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({ kind: "result" });
    using home = connect(replicas.home.url);
    const { turn } = await home.client.getTurn({ turnId: lines[0].turn_id });
    expect(turn?.prompt).toBe("say hello");
  });

  it("goes on behind a place, and tells who has it all that there is no more", async () => {
    const accept = "text/event-stream";
    const after = await get(replicas.first.url, "?after_sequence=2");
    expect(await after.text()).not.toContain('"sequence":1,');
    const over = await get(replicas.first.url, "", { accept, "last-event-id": "3" });
    expect(over.status).toBe(204);
  });

  it("gives the home's problems", async () => {
    const response = await get(replicas.first.url, "?after_sequence=999");
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ reason: "OUT_OF_RANGE" });
  });

  it("refuses by itself what it need not ask the home about", async () => {
    const response = await get(replicas.first.url, "?after_sequence=x");
    expect(response.status).toBe(400);
  });
});
