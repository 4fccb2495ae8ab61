import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTurnEvents } from "#client";
import {
  ErrorReason,
  NoticeReason,
  type TurnEvent,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { bash, error, type Script, say } from "../../src/drill/script.ts";
import { cases, durable, valuesOf } from "../support/events.ts";
import { OWN_CLI } from "../support/installed-clis.ts";
import { startRealCli } from "./real-cli.ts";

const REMEMBERING: Script = [
  { when: "the word", steps: [say("Noted.")] },
  {
    when: "Which word",
    steps: [say(({ prompts }) => `It was ${/word is (\w+)/.exec(prompts.join())?.[1]}.`)],
  },
];

/** What was recorded, in order. */
const kindsOf = (events: readonly TurnEvent[]) => cases(durable(events));

describe("the real CLI", () => {
  it("opens a session, and remembers it in the next turn and after a restart of the server", async () => {
    await using cli = await startRealCli(REMEMBERING);
    const sessionId = randomUUID();
    const first = await cli.run({ sessionId, prompt: "the word is heliotrope" });
    expect(kindsOf(first)).toEqual(["session", "text", "result"]);
    expect(valuesOf(first, "session")[0]).toMatchObject({
      resumed: false,
      agent: "breakglass",
      agentVersion: OWN_CLI.version,
    });

    const second = await cli.run({ sessionId, prompt: "Which word?" });
    expect(valuesOf(second, "session")[0]?.resumed).toBe(true);
    expect(valuesOf(second, "text")[0]?.text).toBe("It was heliotrope.");

    await cli.restart();
    const third = await cli.run({ sessionId, prompt: "Which word was it?" });
    expect(valuesOf(third, "session")[0]?.resumed).toBe(true);
    expect(valuesOf(third, "text")[0]?.text).toBe("It was heliotrope.");
    const { turns } = await cli.client.listTurns({ sessionId });
    expect(turns.map((turn) => turn.state)).toEqual([1, 2, 3].map(() => TurnState.SUCCEEDED));
  });

  it("runs a tool for real and streams its call and its output", async () => {
    const secret = randomUUID();
    await using cli = await startRealCli([
      { when: "look", steps: [say("Looking."), bash(`echo ${secret} | tr a-f A-F`), say("Done.")] },
    ]);
    const events = await cli.run({ prompt: "look" });
    expect(kindsOf(events)).toEqual(["session", "text", "tool", "toolResult", "text", "result"]);
    const [tool] = valuesOf(events, "tool");
    const [result] = valuesOf(events, "toolResult");
    expect(JSON.parse(tool!.inputJson)).toMatchObject({ command: `echo ${secret} | tr a-f A-F` });
    expect(result).toMatchObject({ toolId: tool!.toolId, isError: false });
    expect(result!.content).toContain(secret.toUpperCase());
    expect(events.map((event) => event.sequence).filter((n) => n > 0)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("tells of an API error as notices and a failed result, never as text", async () => {
    await using cli = await startRealCli([{ when: "go", steps: [error(400, "made-up refusal")] }]);
    const events = await cli.run({ prompt: "go" });
    expect(valuesOf(events, "text")).toEqual([]);
    expect(valuesOf(events, "notice").map((notice) => notice.reason)).toContain(
      NoticeReason.API_ERROR,
    );
    const [result] = valuesOf(events, "result");
    expect(result).toMatchObject({ isError: true, apiErrorStatus: 400 });
    expect(result!.result).toContain("made-up refusal");
    const { turn } = await cli.client.getTurn({ turnId: events[0]!.turnId });
    expect(turn!.state).toBe(TurnState.FAILED);
  });

  it("shows retries as notices, and goes on when the API answers", async () => {
    await using cli = await startRealCli([
      { when: "go", steps: [error(529, "full", 2), say("At last.")] },
    ]);
    const events = await cli.run({ prompt: "go" });
    const retries = valuesOf(events, "notice").filter(
      ({ reason }) => reason === NoticeReason.API_RETRY,
    );
    expect(retries.map(({ attempt, httpStatus }) => [attempt, httpStatus])).toEqual([
      [1, 529],
      [2, 529],
    ]);
    expect(valuesOf(events, "text")[0]?.text).toBe("At last.");
  });

  it("is canceled in the middle of a tool, and leaves no process behind", async () => {
    await using cli = await startRealCli([
      { when: "wait", steps: [bash("tail -f /dev/null"), say("Never.")] },
    ]);
    const seen: TurnEvent[] = [];
    let canceled: Promise<unknown> | undefined;
    for await (const event of readTurnEvents(cli.client, { run: { prompt: "wait" } })) {
      seen.push(event);
      if (event.kind.case === "tool") canceled = cli.client.cancelTurn({ turnId: event.turnId });
    }
    await canceled;
    expect(valuesOf(seen, "error")[0]).toMatchObject({ reason: ErrorReason.CANCELED });
    expect(valuesOf(seen, "result")).toEqual([]);
    expect(cli.processes()).toEqual([]);
    const again = await cli.run({ sessionId: seen[0]!.sessionId, prompt: "the word" });
    expect(valuesOf(again, "session")[0]?.resumed).toBe(true);
  });

  it.each([
    ["an option", "-v"],
    ["an option with a value", "--model=haiku"],
    ["a command", "/cost"],
    ["a command that forgets", "/clear"],
    ["a file", "@/etc/hostname"],
    ["a shell command", "!ls"],
    ["several lines", "two\nlines\twith a tab, \u2028 and “quotes”"],
    ["2 MiB", "x".repeat(2 * 1024 * 1024)],
  ])("takes a prompt literally that looks like %s", async (_look, prompt) => {
    await using cli = await startRealCli([{ when: () => true, steps: [say("ok")] }]);
    const events = await cli.run({ prompt });
    expect(valuesOf(events, "result")[0]).toMatchObject({ isError: false });
    expect(cli.model.requests.at(-1)!.conversation.prompts.at(-1) === prompt).toBe(true);
  });

  it("finds a conversation that the service thinks new, and opens one that is gone", async () => {
    await using cli = await startRealCli(REMEMBERING);
    const first = await cli.run({ prompt: "the word is ochre" });
    const { sessionId } = first[0]!;
    const projects = join(cli.configDir, "projects");
    const [project] = await readdir(projects);
    expect(await readdir(join(projects, project!))).toContain(
      `${valuesOf(first, "session")[0]!.agentSessionId}.jsonl`,
    );
    await cli.client.deleteSession({ sessionId });
    expect((await readdir(join(projects, project!))).filter((n) => n.endsWith(".jsonl"))).toEqual(
      [],
    );
    const again = await cli.run({ sessionId, prompt: "the word is umber" });
    expect(valuesOf(again, "session")[0]?.resumed).toBe(false);
  });

  it("says what to do where the agent definition is unknown", async () => {
    await using cli = await startRealCli([]);
    const events = await cli.run({ prompt: "go", agent: "nobody" });
    expect(kindsOf(events)).toEqual(["error"]);
    expect(valuesOf(events, "error")[0]).toMatchObject({ reason: ErrorReason.AGENT_NOT_FOUND });
    expect(valuesOf(events, "error")[0]!.message).toContain("nobody");
  });

  it("says what to do where the CLI is not logged in", async () => {
    await using cli = await startRealCli([], { ANTHROPIC_API_KEY: "" });
    const events = await cli.run({ prompt: "go" });
    const told = valuesOf(events, "notice")
      .map((notice) => notice.message)
      .join("\n");
    expect(told).toContain("ANTHROPIC_API_KEY");
    expect(valuesOf(events, "result")[0]?.isError).toBe(true);
  });

  it("says what to do where the CLI refuses to run as root", async (context) => {
    if (process.getuid?.() !== 0) context.skip("only root is refused");
    const started = startRealCli([], { IS_SANDBOX: "" });
    await expect(started).rejects.toThrow(/another user.*IS_SANDBOX=1/);
  });

  it("says what to do where there is no CLI", async () => {
    await using cli = await startRealCli([], { BREAKGLASS_AGENT_COMMAND: "/nowhere/claude" });
    const [failure] = valuesOf(await cli.run({ prompt: "go" }), "error");
    expect(failure).toMatchObject({ reason: ErrorReason.AGENT_NOT_FOUND });
    expect(failure!.message).toContain("BREAKGLASS_AGENT_COMMAND");
  });
});
