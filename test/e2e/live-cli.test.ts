import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ApprovalDecision, type TurnEvent, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { bash, type Script, say, stop, tool } from "../../src/drill/script.ts";
import { EventReader } from "../support/event-reader.ts";
import { cases, collect, durable, valuesOf } from "../support/events.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import { eventually } from "../support/processes.ts";
import { type RealCli, startRealCli } from "./real-cli.ts";

/** Newer versions refuse to run `sleep 300`. */
const ENDLESS = "tail -f /dev/null";

const permissionMode = PermissionMode.ASK;
const REMEMBERING: Script = [
  { when: "the word", steps: [say("Noted.")] },
  {
    when: "Which word",
    steps: [say(({ prompts }) => `It was ${/word is (\w+)/.exec(prompts.join())?.[1]}.`)],
  },
];

const said = (events: readonly TurnEvent[]) => valuesOf(events, "text").map(({ text }) => text);
const isOne = (pids: readonly number[]) => pids.length === 1;

describe.each(INSTALLED_CLIS)("the CLI $version, kept alive", ({ version, command }) => {
  const start = (script: Script, settings = {}, pace = {}) =>
    startRealCli(script, { BREAKGLASS_AGENT_COMMAND: command, ...settings }, pace);

  it("remembers in its next turn, which is in the same process and costs what it costs itself", async () => {
    await using cli = await start(REMEMBERING, {}, { tokens: { input: 1000, output: 25 } });
    const sessionId = randomUUID();
    const first = await cli.run({ sessionId, prompt: "the word is heliotrope" });
    const agents = cli.agents();
    expect(agents).toHaveLength(1);
    const second = await cli.run({ sessionId, prompt: "Which word?" });
    const third = await cli.run({ sessionId, prompt: "Which word was it?" });
    expect([...said(second), ...said(third)]).toEqual([1, 2].map(() => "It was heliotrope."));
    expect(cli.agents()).toEqual(agents);
    const sessions = [first, second, third].flatMap((events) => valuesOf(events, "session"));
    expect(sessions.map(({ agentVersion }) => agentVersion)).toEqual([version, version, version]);
    expect(sessions.map(({ resumed }) => resumed)).toEqual([false, true, true]);
    const costs = [first, second, third].flatMap((events) => valuesOf(events, "result"));
    expect(costs[0]!.totalCostUsd).toBeGreaterThan(0);
    for (const { totalCostUsd, usage } of costs) {
      expect(totalCostUsd).toBeCloseTo(costs[0]!.totalCostUsd, 9);
      expect(usage).toMatchObject({ inputTokens: 1000n, outputTokens: 25n });
    }
  });

  it("is interrupted during a command, which is killed, and takes the next turn", async () => {
    await using cli = await start([
      { when: "wait", steps: [say("Waiting."), bash(ENDLESS), say("Never.")] },
      ...REMEMBERING,
    ]);
    await using reader = new EventReader(cli.client.runTurn({ prompt: "wait" }));
    const { turnId, sessionId } = await reader.until("tool");
    const isRunning = () => commandLines(cli.processes()).some((line) => line.includes(ENDLESS));
    expect(await eventually(isRunning, Boolean)).toBe(true);
    const agents = cli.agents();
    const { turn } = await cli.client.interruptTurn({ turnId });
    expect(turn?.state).toBe(TurnState.CANCELED);
    expect(said(await reader.rest())).toEqual(["Waiting."]);
    expect(await eventually(cli.processes, isOne)).toEqual(agents);
    await cli.run({ sessionId, prompt: "the word is ochre" });
    expect(said(await cli.run({ sessionId, prompt: "Which word?" }))).toEqual(["It was ochre."]);
    expect(cli.agents()).toEqual(agents);
  });

  it("is steered during a command: the message joins the turn", async () => {
    // Words that no version puts around the message itself. To some it is the newest prompt from then on.
    const [word, second] = [randomUUID(), randomUUID()];
    await using cli = await start([
      { when: word, steps: [say("Done.")] },
      { when: "go", steps: [bash("until test -e steered; do sleep 0.05; done"), say("Done.")] },
      { when: second, steps: [say("Next.")] },
    ]);
    await using reader = new EventReader(cli.client.runTurn({ prompt: "go" }));
    const { turnId, sessionId } = await reader.until("tool");
    const [agent] = cli.agents();
    const message = `look at ${word}`;
    await cli.client.steerTurn({ turnId, message });
    await writeFile(`/proc/${agent}/cwd/steered`, "");
    const events = await reader.rest();
    expect(said(events)).toEqual(["Done."]);
    expect(cases(events).filter((kind) => kind === "result")).toHaveLength(1);
    // The call of the model behind the command, which is the turn's last, had it.
    expect(cli.bodies.at(-1)).toContain(message);
    expect(said(await cli.run({ sessionId, prompt: second }))).toEqual(["Next."]);
    expect(cli.agents()).toEqual([agent]);
  });

  it("is steered while it writes: the turn ends with the answer to the message", async () => {
    const long = "one two three four five six seven eight nine ten";
    const pace = { latencyMs: 100, chunkSize: 5 };
    await using cli = await start(
      [
        { when: "more", steps: [say("Heard.")] },
        { when: "go", steps: [say(long)] },
      ],
      {},
      pace,
    );
    const run = cli.client.runTurn({ prompt: "go", textDeltas: true });
    await using reader = new EventReader(run);
    const { turnId, sessionId } = await reader.until("textDelta");
    await cli.client.steerTurn({ turnId, message: "more" });
    const events = await reader.rest();
    expect(said(events)).toEqual([long, "Heard."]);
    expect(cases(events).filter((kind) => kind === "result")).toHaveLength(1);
    expect(said(await cli.run({ sessionId, prompt: "more" }))).toEqual(["Heard."]);
    expect(cli.agents()).toHaveLength(1);
  });

  it("asks before it runs a command, and does as it is answered", async () => {
    await using cli = await start(
      [{ when: "make", steps: [bash("echo asked > made; cat made"), say("Done.")] }],
      { BREAKGLASS_APPROVAL_SECONDS: "3" },
    );
    const sessionId = randomUUID();
    const answers = [
      [{ case: "allow", value: {} }, ApprovalDecision.ALLOWED, /^asked/, 0],
      [
        { case: "allow", value: { inputJson: '{"command":"echo changed; touch made"}' } },
        ApprovalDecision.ALLOWED_CHANGED,
        /^changed/,
        0,
      ],
      [{ case: "deny", value: { message: "not today" } }, ApprovalDecision.DENIED, /not today/, 1],
      [undefined, ApprovalDecision.EXPIRED, /Nobody approved/, 1],
    ] as const;
    for (const [decision, expected, content, denied] of answers) {
      await using reader = new EventReader(
        cli.client.runTurn({ sessionId, prompt: "make", permissionMode }),
      );
      const { turnId, kind } = await reader.until("approvalRequest");
      if (kind.case !== "approvalRequest") throw new Error("not asked");
      const { approvalId, name, inputJson } = kind.value;
      expect([name, JSON.parse(inputJson).command]).toEqual([
        "Bash",
        "echo asked > made; cat made",
      ]);
      if (decision) await cli.client.resolveApproval({ turnId, approvalId, decision });
      const events = await reader.rest();
      expect(valuesOf(events, "approvalResolution")).toMatchObject([{ decision: expected }]);
      expect(valuesOf(events, "toolResult")).toMatchObject([
        { content: expect.stringMatching(content) },
      ]);
      const { turn } = await cli.client.getTurn({ turnId });
      expect(turn?.permissionDenialCount).toBe(denied);
    }
    const last = await cli.run({ sessionId, prompt: "make" });
    expect(valuesOf(last, "toolResult")).toMatchObject([{ isError: false }]);
    expect(cli.agents()).toHaveLength(1);
  });

  it("keeps the server's rules: what they allow is not asked about, what they deny is denied in any mode", async () => {
    const rules = join(tmpdir(), `breakglass-test-${randomUUID()}`);
    await writeFile(rules, "allow Bash(mkdir:*)\ndeny Bash(rmdir:*)\n");
    await using cli = await start(
      [
        { when: "allowed", steps: [bash("mkdir made"), say("Done.")] },
        { when: "denied", steps: [bash("rmdir made"), say("Done.")] },
      ],
      { BREAKGLASS_RULES_FILE: rules },
    );
    const sessionId = randomUUID();
    const allowed = await cli.run({ sessionId, prompt: "allowed", permissionMode });
    expect(valuesOf(allowed, "approvalRequest")).toEqual([]);
    expect(valuesOf(allowed, "toolResult")).toMatchObject([{ isError: false }]);
    for (const mode of [PermissionMode.BYPASS, PermissionMode.ASK]) {
      const denied = await cli.run({ sessionId, prompt: "denied", permissionMode: mode });
      expect(valuesOf(denied, "approvalRequest")).toEqual([]);
      expect(valuesOf(denied, "toolResult")).toMatchObject([{ isError: true }]);
      const { turn } = await cli.client.getTurn({ turnId: denied[0]!.turnId });
      expect(turn?.permissionDenialCount).toBe(1);
    }
    await rm(rules);
  });

  it("follows a task in the background up in a turn of its own, which a prompt waits for", async () => {
    const inBackground = { run_in_background: true, description: "wait for a file" };
    const wait = (name: string) => `until test -e ${name}; do sleep 0.05; done; echo ${name} came`;
    await using cli = await start([
      {
        when: "go",
        steps: [
          tool("Bash", { command: wait("first"), ...inBackground }),
          say("Started."),
          stop(),
          bash(wait("second")),
          say("Followed up."),
        ],
      },
      { when: "next", steps: [say("Next.")] },
    ]);
    const sessionId = randomUUID();
    const first = await cli.run({ sessionId, prompt: "go" });
    expect(said(first)).toEqual(["Started."]);
    const agents = cli.agents();
    expect(agents).toHaveLength(1);
    await writeFile(`/proc/${agents[0]}/cwd/first`, "");
    const own = await ownTurn(cli, sessionId);
    expect(own).toMatchObject({ state: TurnState.RUNNING, causeTurnId: first[0]!.turnId });
    await using reader = new EventReader(cli.client.runTurn({ sessionId, prompt: "next" }));
    expect((await reader.until("checkpoint")).kind.value).toMatchObject({
      state: TurnState.QUEUED,
    });
    await writeFile(`/proc/${agents[0]}/cwd/second`, "");
    const events = await collect(cli.client.attachTurn({ turnId: own.turnId }));
    expect(said(events)).toEqual(["Followed up."]);
    expect(cases(durable(events)).at(-1)).toBe("result");
    expect(said(await reader.rest())).toEqual(["Next."]);
    expect(cli.agents()).toEqual(agents);
  });

  it("waits as a spare for a session's first turn", async () => {
    await using cli = await start(REMEMBERING, { BREAKGLASS_SPARE_PROCESSES: "1" });
    const { events, waited } = await eventually(
      async () => {
        const before = cli.agents();
        const run = await cli.run({ prompt: "the word is umber" });
        const gone = cli.agents().filter((pid) => before.includes(pid));
        return { events: run, waited: gone.length === before.length && before.length > 0 };
      },
      (found) => found.waited,
      30_000,
    );
    expect(waited).toBe(true);
    expect(valuesOf(events, "session")).toMatchObject([{ resumed: false, agentVersion: version }]);
    const { sessionId } = events[0]!;
    expect(said(await cli.run({ sessionId, prompt: "Which word?" }))).toEqual(["It was umber."]);
  });

  it("gives its text as it is written, the same that then comes whole", async () => {
    const text = "Grüße ☃ in many small pieces, one after the other, until all of it is there.";
    await using cli = await start(
      [{ when: "go", steps: [say(text), bash("echo hi"), say("Done.")] }],
      {},
      { latencyMs: 5, chunkSize: 4 },
    );
    const events = await cli.run({ prompt: "go", textDeltas: true });
    const written = new Map<string, string>();
    for (const { kind } of events) {
      if (kind.case === "textDelta") {
        const { messageId, text: piece } = kind.value;
        written.set(messageId, (written.get(messageId) ?? "") + piece);
      }
      if (kind.case === "text") expect(written.get(kind.value.messageId)).toBe(kind.value.text);
    }
    expect(said(events)).toEqual([text, "Done."]);
    expect(valuesOf(events, "textDelta").length).toBeGreaterThan(5);
  });

  it("shows the model an image, and reads a file that came with the prompt", async () => {
    await using cli = await start([
      { when: "look", steps: [bash("cat attachments-*/note.txt"), say("Seen.")] },
    ]);
    const pixel = Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    );
    const attachments = [
      { name: "screen.png", mediaType: "image/png", data: new Uint8Array(pixel) },
      { name: "note.txt", mediaType: "text/plain", data: new Uint8Array(Buffer.from("a note")) },
    ];
    const events = await cli.run({ prompt: "look", attachments });
    expect(valuesOf(events, "toolResult")).toMatchObject([{ content: "a note" }]);
    const images = cli.bodies.flatMap((body) => imagesIn(JSON.parse(body)));
    expect(images.length).toBeGreaterThan(0);
    expect(images[0]).toMatchObject({ type: "base64", media_type: "image/png" });
    expect(cli.bodies.some((body) => body.includes("note.txt"))).toBe(true);
  });

  it("keeps 20 sessions apart that take turns on 8 processes", async () => {
    await using cli = await start(REMEMBERING);
    const sessions = Array.from({ length: 20 }, (_, n) => ({
      id: randomUUID(),
      word: `word${n}x`,
    }));
    const inTurn = async (work: (session: (typeof sessions)[number]) => Promise<void>) => {
      const left = [...sessions];
      const lane = async () => {
        for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
      };
      await Promise.all([lane(), lane(), lane()]);
    };
    await inTurn(async ({ id: sessionId, word }) => {
      const events = await cli.run({ sessionId, prompt: `the word is ${word}` });
      expect(cases(events).at(-1)).toBe("result");
    });
    await inTurn(async ({ id: sessionId, word }) => {
      const events = await cli.run({ sessionId, prompt: "Which word?" });
      expect(said(events)).toEqual([`It was ${word}.`]);
    });
    expect(await eventually(cli.agents, ({ length }) => length <= 8)).toHaveLength(8);
  }, 180_000);
});

function commandLines(pids: readonly number[]): string[] {
  return pids.map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    } catch {
      return ""; // It has ended.
    }
  });
}

/** The agent's own turn, once there is one. */
async function ownTurn(cli: RealCli, sessionId: string) {
  for await (const { change } of cli.client.watchSession({ sessionId })) {
    if (change.value?.origin === TurnOrigin.AGENT) return change.value;
  }
  throw new Error("the watching ended");
}

interface Block {
  readonly type: string;
  readonly source?: object;
}

function imagesIn(body: { messages?: { content: string | Block[] }[] }): (object | undefined)[] {
  const contents = (body.messages ?? []).map(({ content }) => content);
  const blocks = contents.flatMap((content) => (typeof content === "string" ? [] : content));
  return blocks.filter(({ type }) => type === "image").map(({ source }) => source);
}
