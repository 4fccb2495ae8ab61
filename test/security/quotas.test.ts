import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { BreakglassClient } from "#client";
import { collect, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { type RefusalSeen, refusalOf } from "../support/refusals.ts";
import { startForTwo } from "./two-principals.ts";

const MIB = 1024 * 1024;
const SLOWLY_MS = 40_000;

/** Runs a turn; answers how it was refused, if it was. */
async function attempt(
  client: BreakglassClient,
  request: Parameters<BreakglassClient["runTurn"]>[0] = {},
): Promise<RefusalSeen | undefined> {
  return refusalOf(client.runTurn({ prompt: "say there", ...request })).catch(() => undefined);
}

const file = (bytes: number) => ({
  name: `${randomUUID()}.txt`,
  mediaType: "text/plain",
  data: new Uint8Array(bytes),
});

describe("a principal who opens one session after the other", () => {
  it("is refused further ones, told which to delete, and keeps those that are there", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_PRINCIPAL_SESSIONS: "2" });
    const sessionId = randomUUID();
    expect(await attempt(two.greedy, { sessionId })).toBeUndefined();
    expect(await attempt(two.greedy)).toBeUndefined();
    const refusal = await attempt(two.greedy);
    expect(refusal).toEqual({
      ...{ code: "ResourceExhausted", reason: "QUOTA_EXCEEDED", domain: "breakglass" },
      metadata: { limit: "sessions", used: "2", most: "2", session_id: sessionId },
    });
    expect(await attempt(two.honest)).toBeUndefined();
    expect(await attempt(two.greedy, { sessionId })).toBeUndefined();
    await two.greedy.deleteSession({ sessionId });
    expect(await attempt(two.greedy)).toBeUndefined();
  });
});

describe("a principal who sends file after file", () => {
  it("is refused further ones, also behind a restart, and may send none", async () => {
    await using two = await startForTwo({
      BREAKGLASS_MAX_PRINCIPAL_ATTACHMENT_BYTES: String(MIB),
    });
    const sessionId = randomUUID();
    const attachments = [file(0.6 * MIB)];
    expect(await attempt(two.greedy, { sessionId, attachments })).toBeUndefined();
    expect(await attempt(two.greedy, { attachments: [file(0.3 * MIB)] })).toBeUndefined();
    const refusal = await attempt(two.greedy, { attachments: [file(0.3 * MIB)] });
    expect(refusal).toMatchObject({
      reason: "QUOTA_EXCEEDED",
      metadata: { limit: "attachment_bytes", session_id: sessionId, most: String(MIB) },
    });
    expect(await attempt(two.honest, { attachments })).toBeUndefined();
    expect(await attempt(two.greedy)).toBeUndefined();
    await two.greedy.deleteSession({ sessionId });
    expect(await attempt(two.greedy, { attachments })).toBeUndefined();
  });
});

describe("a principal whose agents fill their workspaces", () => {
  const fill = (mebibytes: number) => ({
    prompt: script(`bash ln -s / all; head -c ${mebibytes * MIB} /dev/zero | tr '\\0' x > full`),
  });
  const full = (client: BreakglassClient) =>
    eventually(
      () => attempt(client),
      (refusal) => refusal !== undefined,
      SLOWLY_MS,
    );

  it("is refused further turns until one of the sessions is deleted", async () => {
    await using two = await startForTwo({
      BREAKGLASS_MAX_PRINCIPAL_WORKSPACE_BYTES: String(2 * MIB),
    });
    const sessionId = randomUUID();
    // All that can be reached by links is much more.
    expect(valuesOf(await collect(two.honest.runTurn(fill(1))), "result")).toHaveLength(1);
    await collect(two.greedy.runTurn({ ...fill(5), sessionId }));
    const refusal = await full(two.greedy);
    expect(refusal).toMatchObject({
      code: "ResourceExhausted",
      reason: "QUOTA_EXCEEDED",
      metadata: { limit: "workspace_bytes", session_id: sessionId, most: String(2 * MIB) },
    });
    expect(Number(refusal?.metadata?.age_seconds)).toBeLessThan(30);
    expect(await attempt(two.honest)).toBeUndefined();
    await two.greedy.deleteSession({ sessionId });
    expect(await attempt(two.greedy)).toBeUndefined();
  });

  it("is refused where all together hold too much, and who holds less than a share is not", async () => {
    await using two = await startForTwo({ BREAKGLASS_MAX_WORKSPACE_BYTES: String(4 * MIB) });
    await collect(two.honest.runTurn(fill(1)));
    await collect(two.greedy.runTurn(fill(6)));
    expect(await full(two.greedy)).toMatchObject({
      reason: "QUOTA_EXCEEDED",
      metadata: { limit: "workspace_bytes", most: String(2 * MIB) },
    });
    expect(await attempt(two.honest)).toBeUndefined();
  });
});
