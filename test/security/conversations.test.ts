import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NoticeReason, type TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { type LiveServer, startLiveServer } from "../e2e/live-server.ts";
import { valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";

const init = (id: string) =>
  `print ${JSON.stringify({ type: "system", subtype: "init", session_id: id, model: "forged" })}`;
const reset = (id: string) =>
  `print ${JSON.stringify({ type: "conversation_reset", new_conversation_id: id })}`;

// That the real CLI cannot be had by this either is in test/e2e/live-conversations.test.ts.

const COLD = { BREAKGLASS_MAX_WARM_PROCESSES: "0" };

function conversationOf(events: readonly TurnEvent[]): string {
  return valuesOf(events, "session")[0]?.agentSessionId ?? "none";
}

function warnings(events: readonly TurnEvent[]): number {
  const reasons = valuesOf(events, "notice").map(({ reason }) => reason);
  return reasons.filter((reason) => reason === NoticeReason.AGENT_WARNING).length;
}

/** The prompts that the agent has on disk of a conversation. */
function prompts({ server }: LiveServer, id: string): string[] {
  const path = join(server.root, ".claude", "projects", "scripted", `${id}.jsonl`);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => String(JSON.parse(line).prompt));
}

/** Deletes a session, and sees that its conversations go with it: where that takes long, behind the answer. */
async function deleteWith(live: LiveServer, sessionId: string, ...own: string[]): Promise<void> {
  await live.client.deleteSession({ sessionId });
  const left = () => own.filter((id) => prompts(live, id).length > 0);
  expect(await eventually(left, ({ length }) => length === 0, 30_000)).toEqual([]);
}

/** A conversation on the agent's disk that no session has. */
async function keepElsewhere({ server }: LiveServer, id: string, line: object): Promise<void> {
  const folder = join(server.root, ".claude", "projects", "-home-operator");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${id}.jsonl`), `${JSON.stringify(line)}\n`);
}

/** One of all the tests of a `describe`, whose sessions are their own. */
function useLiveServer(settings: Readonly<Record<string, string>>): { readonly live: LiveServer } {
  let live: LiveServer;
  beforeAll(async () => {
    live = await startLiveServer(settings);
  });
  afterAll(() => live[Symbol.asyncDispose]());
  return {
    get live() {
      return live;
    },
  };
}

describe.concurrent.each([
  ["a process for each turn", COLD],
  ["processes that are kept", {}],
])("with %s, an agent that says it holds another session's conversation", (_how, settings) => {
  const shared = useLiveServer(settings);

  it.each([
    ["in its first line", (id: string) => ["silent", init(id), "say hi"]],
    ["in a later one", (id: string) => ["say hi", init(id)]],
    ["as the one it was reset to", (id: string) => ["say hi", reset(id), init(id)]],
  ])("%s does not get it", async (_where, forging) => {
    const { live } = shared;
    const first = await live.run({ prompt: "say the root password is swordfish" });
    const taken = conversationOf(first);
    const before = prompts(live, taken);
    expect(before).toHaveLength(1);

    const sessionId = randomUUID();
    const forged = await live.run({ sessionId, prompt: script(...forging(taken)) });
    expect(conversationOf(forged)).not.toBe(taken);
    expect(warnings(forged)).toBe(1);
    expect(forged.at(-1)?.kind.case).toBe("result");
    expect(JSON.stringify(live.server.log)).not.toContain(taken);

    const next = await live.run({ sessionId, prompt: "say next" });
    expect(conversationOf(next)).toBe(conversationOf(forged));
    expect(prompts(live, taken)).toEqual(before);
    expect(prompts(live, conversationOf(next)).at(-1)).toBe("say next");

    await deleteWith(live, sessionId, conversationOf(next));
    expect(prompts(live, taken)).toEqual(before);
    const again = await live.run({ sessionId: first[0]!.sessionId, prompt: "say back" });
    expect(valuesOf(again, "session")[0]).toMatchObject({ agentSessionId: taken, resumed: true });
  });
});

describe.concurrent("an agent that says it holds a conversation", () => {
  const shared = useLiveServer(COLD);

  it("of another session that has no record of it on disk does not get it", async () => {
    const { live } = shared;
    const taken = conversationOf(await live.run({ prompt: "say hi" }));
    await rm(join(live.server.root, ".claude", "projects", "scripted", `${taken}.jsonl`));
    const sessionId = randomUUID();
    const forged = await live.run({ sessionId, prompt: script("silent", init(taken), "say ho") });
    expect(warnings(forged)).toBe(1);
    expect(conversationOf(await live.run({ sessionId, prompt: "say next" }))).not.toBe(taken);
    expect(prompts(live, taken)).toEqual([]);
  });

  it.each([
    ["that was begun elsewhere", { type: "user", cwd: "/home/operator" }],
    ["that does not say where it was begun", { type: "summary" }],
  ])("%s, and no session's, does not get it", async (_what, line) => {
    const { live } = shared;
    const id = randomUUID();
    await keepElsewhere(live, id, line);
    const sessionId = randomUUID();
    const forged = await live.run({ sessionId, prompt: script("silent", init(id), "say hi") });
    expect(warnings(forged)).toBe(1);
    const next = await live.run({ sessionId, prompt: "say next" });
    expect(conversationOf(next)).not.toBe(id);
    await deleteWith(live, sessionId, conversationOf(next));
    const folder = join(live.server.root, ".claude", "projects", "-home-operator");
    expect(readdirSync(folder)).toContain(`${id}.jsonl`);
  });

  it("of a process that waits for a session does not get it", async () => {
    await using live = await startLiveServer({ ...COLD, BREAKGLASS_SPARE_PROCESSES: "1" });
    const [spare] = await eventually(live.server.processes, ({ length }) => length === 1);
    const spareArguments = readFileSync(`/proc/${spare}/cmdline`, "utf8").split("\0");
    const id = spareArguments[spareArguments.indexOf("--session-id") + 1]!;
    // Of another model, so that it does not get the process itself.
    const prompt = script("silent", init(id), "say hi");
    const forged = await live.run({ prompt, model: "opus" });
    expect(warnings(forged)).toBe(1);
    await eventually(
      () => live.run({ prompt: "say mine" }),
      (turn) => conversationOf(turn) === id,
    );
    expect(prompts(live, id)).toEqual(["say mine"]);
  });

  it.each(["../../../etc/passwd", "x".repeat(100_000), "--model=x", "/", "4F9B1E7A"])(
    "under what is no id goes on with its own",
    async (id) => {
      const { live } = shared;
      const sessionId = randomUUID();
      const forged = await live.run({ sessionId, prompt: script("silent", init(id), "say hi") });
      expect(conversationOf(forged)).toBe("");
      const next = await live.run({ sessionId, prompt: "say next" });
      expect(valuesOf(next, "session")[0]?.resumed).toBe(true);
    },
  );

  it("under many others' ids is told of ten times", async () => {
    const { live } = shared;
    const ids = Array.from({ length: 60 }, () => randomUUID());
    for (const id of ids) await keepElsewhere(live, id, { cwd: "/home/operator" });
    // Each with an event of its own, and pauses: of those that come in one piece only the last counts.
    const forging = ids.flatMap((id) => [init(id), "print nonsense", "pause 20"]);
    const forged = await live.run({ prompt: script("say hi", ...forging) });
    expect(warnings(forged)).toBeGreaterThan(0);
    expect(warnings(forged)).toBeLessThanOrEqual(10);
    expect(forged.at(-1)?.kind.case).toBe("result");
  });
});

describe.concurrent("a session whose conversation is reset", () => {
  it("goes on with the new one, and both go with it", async () => {
    await using live = await startLiveServer(COLD);
    const sessionId = randomUUID();
    const [id, other] = [randomUUID(), randomUUID()];
    const first = await live.run({ sessionId, prompt: script("say hi", reset(id), init(id)) });
    expect(warnings(first)).toBe(0);
    const reasons = valuesOf(first, "notice").map(({ reason }) => reason);
    expect(reasons).toEqual([NoticeReason.CONVERSATION_RESET]);
    const old = conversationOf(first);
    await live.server.restart();
    await using again = await reconnected(live);
    const second = await again.run({ sessionId, prompt: "say next" });
    expect(conversationOf(second)).toBe(id);
    expect([prompts(live, old).length, prompts(live, id).length]).toEqual([1, 1]);

    // What it had before is still its own, and no other session's.
    const forging = script("silent", init(old), "say hi");
    const stranger = await again.run({ sessionId: other, prompt: forging });
    expect(warnings(stranger)).toBe(1);
    const back = await again.run({ sessionId, prompt: script("say back", reset(old)) });
    expect(warnings(back)).toBe(0);

    await deleteWith(again, sessionId, old, id);
  });

  it("begins an empty one where somebody put another in its place", async () => {
    await using live = await startLiveServer(COLD);
    const sessionId = randomUUID();
    const first = await live.run({ sessionId, prompt: "say hi" });
    const id = conversationOf(first);
    const path = join(live.server.root, ".claude", "projects", "scripted", `${id}.jsonl`);
    await writeFile(path, `${JSON.stringify({ prompt: "another's", cwd: "/home/operator" })}\n`);
    const second = await live.run({ sessionId, prompt: "say next" });
    expect(conversationOf(second)).not.toBe(id);
    expect(valuesOf(second, "session")[0]?.resumed).toBe(false);
    const reasons = valuesOf(second, "notice").map(({ reason }) => reason);
    expect(reasons).toEqual([NoticeReason.CONVERSATION_RESET]);
    const third = await live.run({ sessionId, prompt: "say more" });
    expect(conversationOf(third)).toBe(conversationOf(second));
    expect(valuesOf(third, "session")[0]?.resumed).toBe(true);
    await deleteWith(live, sessionId, conversationOf(third));
    expect(prompts(live, id)).toEqual(["another's"]);
  });
});

async function reconnected(live: LiveServer): Promise<LiveServer> {
  const { connect } = await import("../support/protocols.ts");
  const { collect } = await import("../support/events.ts");
  const connection = connect(live.server.url);
  return {
    ...live,
    client: connection.client,
    run: (request) => collect(connection.client.runTurn(request)),
    [Symbol.asyncDispose]: async () => connection[Symbol.dispose](),
  };
}
