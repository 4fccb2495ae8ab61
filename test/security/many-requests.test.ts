import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { EventReader } from "../support/event-reader.ts";
import { collect, valuesOf } from "../support/events.ts";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { refusalOf } from "../support/refusals.ts";
import { startForTwo } from "./two-principals.ts";

/** A request whose body does not end. */
function openUnended(url: string, token: string) {
  const request = httpRequest(`${url}/breakglass.v1.BreakglassService/ListSessions`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
  });
  request.on("error", () => {});
  request.write("{");
  return request;
}

describe("a principal who asks more than one may", () => {
  it("is refused by what is under way until less is, and nobody else is", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_PRINCIPAL_REQUESTS: "5" });
    const unended = Array.from({ length: 5 }, () => openUnended(two.server.url, "greedy"));
    const refusal = await eventually(
      () => refusalOf(two.greedy.listSessions({})).catch(() => undefined),
      (found) => found !== undefined,
    );
    expect(refusal).toMatchObject({
      code: "ResourceExhausted",
      reason: "TOO_MANY_REQUESTS",
      retryMs: 1000,
    });
    await Promise.all(Array.from({ length: 5 }, () => two.honest.listSessions({})));
    // What has begun goes on, and streams are counted by themselves.
    expect(
      valuesOf(await collect(two.greedy.runTurn({ prompt: "say there" })), "result"),
    ).toHaveLength(1);
    for (const request of unended) request.destroy();
    await eventually(
      () => two.greedy.listSessions({}).catch(() => undefined),
      (answer) => answer !== undefined,
    );
  });

  it("is refused by how often for a second or so, and nobody else is", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_PRINCIPAL_REQUESTS_PER_SECOND: "10" });
    const flood = await Promise.allSettled(
      Array.from({ length: 300 }, () => two.greedy.listSessions({})),
    );
    const refused = flood.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
    expect(refused.length).toBeGreaterThan(100);
    for (const reason of refused) {
      expect(await refusalOf(Promise.reject(reason))).toMatchObject({
        reason: "TOO_MANY_REQUESTS",
        retryMs: 1000,
      });
    }
    for (let n = 0; n < 40; n++) await two.honest.listSessions({});
    await eventually(
      () => two.greedy.listSessions({}).catch(() => undefined),
      (answer) => answer !== undefined,
    );
  });
});

describe("a principal who opens more streams than one may", () => {
  it("is refused further ones until some end, and nobody else is", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_PRINCIPAL_SUBSCRIPTIONS: "2" });
    const gate = createGate(two.server.root);
    const run = new EventReader(two.greedy.runTurn({ prompt: script(gate.step, "say there") }));
    const { turnId } = await run.until("session");
    const second = new EventReader(two.greedy.attachTurn({ turnId }));
    await second.until("session");
    for (const call of [
      () => two.greedy.attachTurn({ turnId }),
      () => two.greedy.runTurn({ prompt: "say more" }),
    ]) {
      expect(await refusalOf(call())).toMatchObject({
        reason: "TOO_MANY_SUBSCRIPTIONS",
        retryMs: 1000,
      });
    }
    const honest = await collect(two.honest.runTurn({ prompt: "say here" }));
    expect(valuesOf(honest, "result")).toHaveLength(1);
    gate.open();
    expect(valuesOf(await run.rest(), "text")).toMatchObject([{ text: "there" }]);
    await second.rest();
    await eventually(
      () => collect(two.greedy.attachTurn({ turnId })).catch(() => undefined),
      (events) => events !== undefined,
    );
  });
});
