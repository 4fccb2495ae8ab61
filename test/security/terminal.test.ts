import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { BreakglassService } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  ApprovalDecision,
  ErrorReason,
  NoticeReason,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { runCommand, runCommands, startCommand } from "../commands/run-command.ts";
import { startServiceDouble } from "../commands/service-double.ts";
import { expectSafe, HOSTILE, UNSEEN_KINDS, unseenIn } from "./hostile-text.ts";

type Service = Partial<ServiceImpl<typeof BreakglassService>>;

const time = timestampFromMs(Date.UTC(2026, 0, 2));
const ids = { turnId: HOSTILE, sessionId: HOSTILE };
const turn = {
  ...ids,
  state: TurnState.FAILED,
  errorReason: ErrorReason.TURN_TIMEOUT,
  prompt: HOSTILE,
  principal: HOSTILE,
  model: HOSTILE,
  agent: HOSTILE,
  createTime: time,
};
const ownTurn = { ...turn, origin: TurnOrigin.AGENT, causeTurnId: HOSTILE };
const session = {
  sessionId: HOSTILE,
  principal: HOSTILE,
  agent: HOSTILE,
  model: HOSTILE,
  runningTurnId: HOSTILE,
  queuedTurnId: HOSTILE,
  lastActiveTime: time,
};

/** Every kind of event, with hostile text wherever one has text. */
function* events(text: string) {
  // The agent's own prose has lines.
  const prose = text.replaceAll(/\r?\n/g, " ");
  const kinds = [
    { case: "checkpoint", value: { state: TurnState.RUNNING } },
    { case: "session", value: { model: text, agent: text, agentVersion: text } },
    { case: "textDelta", value: { text: prose, messageId: text } },
    { case: "text", value: { text: `${prose}.`, messageId: text } },
    { case: "text", value: { text, messageId: "m2", parentToolId: text } },
    { case: "thinking", value: { text } },
    { case: "tool", value: { name: text, toolId: text, inputJson: text } },
    { case: "tool", value: { name: text, inputJson: JSON.stringify({ command: text }) } },
    { case: "toolResult", value: { content: text, toolId: text, isError: true } },
    { case: "notice", value: { reason: NoticeReason.AGENT_SILENT, message: text } },
    { case: "steer", value: { message: text, principal: text } },
    { case: "approvalRequest", value: approval(text) },
    {
      case: "approvalResolution",
      value: {
        approvalId: text,
        decision: ApprovalDecision.DENIED,
        principal: text,
        message: text,
      },
    },
    {
      case: "approvalResolution",
      value: { decision: ApprovalDecision.ALLOWED_CHANGED, principal: text, inputJson: text },
    },
    { case: "error", value: { reason: 1, message: text, signal: text, stderrTail: text } },
  ] as const;
  for (const [place, kind] of kinds.entries()) {
    const isDurable = kind.case !== "checkpoint" && kind.case !== "textDelta";
    const sequence = isDurable ? place - (place > 2 ? 1 : 0) : 0;
    yield { event: { turnId: text, sessionId: text, sequence, createTime: time, kind } };
  }
}

function approval(text: string) {
  return {
    approvalId: text,
    toolId: text,
    name: text,
    inputJson: text,
    description: text,
    expireTime: time,
  };
}

/** A refusal with hostile text in every part of it. */
function refusal(): ConnectError {
  return new ConnectError(HOSTILE, Code.FailedPrecondition, undefined, [
    {
      desc: ErrorInfoSchema,
      value: { reason: HOSTILE, domain: HOSTILE, metadata: { [HOSTILE]: HOSTILE } },
    },
    {
      desc: BadRequestSchema,
      value: { fieldViolations: [{ field: HOSTILE, description: HOSTILE }] },
    },
  ]);
}

const refusing: Service = Object.fromEntries(
  [
    "cancelTurn",
    "interruptTurn",
    "steerTurn",
    "resolveApproval",
    "listTurns",
    "listSessions",
    "getTurn",
  ].map((method) => [
    method,
    () => {
      throw refusal();
    },
  ]),
);

/** No program can be given a NUL. */
const ARGUMENT = HOSTILE.replaceAll("\u0000", "");

/** Every command that talks to a server, with arguments of the user's own that are hostile too. */
const COMMANDS: readonly string[][] = [
  ["run", "x"],
  ["run", "--json", "x"],
  ["attach", ARGUMENT],
  ["attach", "--json", "x"],
  ["cancel", ARGUMENT],
  ["interrupt", "x"],
  ["steer", "x", "y"],
  ["approve", "x", ARGUMENT],
  ["deny", "x", "y"],
  ["sessions"],
  ["sessions", "--json"],
  ["turns", ARGUMENT],
  ["turns", "--json", "x"],
];

/** Hostile text in every answer. */
const hostile: Service = {
  runTurn: async function* () {
    yield* events(HOSTILE);
  },
  attachTurn: async function* () {
    yield* events(HOSTILE);
  },
  cancelTurn: () => ({ turn }),
  interruptTurn: () => ({ turn }),
  steerTurn: () => ({ sequence: 1, turn }),
  resolveApproval: () => ({ turn }),
  listTurns: () => ({ turns: [turn, ownTurn] }),
  listSessions: () => ({ sessions: [session] }),
};

describe.concurrent("what a server sends", () => {
  it("reaches the terminal by no command raw", async () => {
    await using service = await startServiceDouble(hostile);
    const all = await runCommands(COMMANDS.map((args) => [...args, "--url", service.url]));
    expect(all).toHaveLength(COMMANDS.length);
    for (const [index, ended] of all.entries()) {
      const args = COMMANDS[index]!;
      expect(ended.stdout, args.join(" ")).not.toBe("");
      expectSafe(ended);
      if (!args.includes("--json")) continue;
      const lines = ended.stdout.trimEnd().split("\n");
      expect(JSON.stringify(lines.map((line) => JSON.parse(line)))).toContain(
        JSON.stringify(HOSTILE).slice(1, -1),
      );
    }
  });

  it("does not as a refusal either", async () => {
    await using service = await startServiceDouble({
      ...refusing,
      // biome-ignore lint/correctness/useYield: it refuses before there is anything to stream.
      runTurn: async function* () {
        throw refusal();
      },
      // biome-ignore lint/correctness/useYield: as above.
      attachTurn: async function* () {
        throw refusal();
      },
    });
    const all = await runCommands(COMMANDS.map((args) => [...args, "--url", service.url]));
    expect(all).toHaveLength(COMMANDS.length);
    for (const [index, ended] of all.entries()) {
      expect(ended, COMMANDS[index]!.join(" ")).toMatchObject({
        status: 3,
        stderr: expect.stringContaining("FAILED_PRECONDITION x"),
      });
      expectSafe(ended);
    }
  });

  it("does not in watch, nor as a notice of a connection that broke", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      watchSession: async function* () {
        yield { cursor: 1n, change: { case: "turnStarted" as const, value: turn } };
        yield { cursor: 2n, change: { case: "turnEnded" as const, value: ownTurn } };
        const retry = { desc: RetryInfoSchema, value: { retryDelay: durationFromMs(1) } };
        if (calls++ === 0) throw new ConnectError(HOSTILE, Code.Unavailable, undefined, [retry]);
        await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      },
    });
    const command = startCommand(["watch", "--url", service.url, ARGUMENT]);
    await command.printed("stderr", "Connected again.");
    command.process.kill("SIGINT");
    const ended = await command.ended;
    expect(ended.status).toBe(130);
    expect(ended.stderr).toContain("Connection lost (UNAVAILABLE: x");
    expectSafe(ended);
  });
});

/** What `attach` shows of each of the approvals that one turn asks for. */
async function shownOf(
  ...requests: readonly { name?: string; inputJson: string; approvalId?: string }[]
): Promise<string[]> {
  await using service = await startServiceDouble({
    attachTurn: async function* () {
      const asked = requests.map((request) => ({
        case: "approvalRequest" as const,
        value: { ...approval(""), approvalId: "A", name: "Bash", ...request },
      }));
      const value = { state: TurnState.RUNNING, caughtUp: true };
      const kind = { case: "checkpoint" as const, value };
      yield { event: { turnId: "T", sessionId: "S", createTime: time, kind } };
      for (const [index, kind] of [...asked, { case: "result" as const, value: {} }].entries()) {
        const event = { turnId: "T", sessionId: "S", sequence: index + 1, createTime: time, kind };
        yield { event };
      }
    },
  });
  const { stdout } = await runCommand(["attach", "T", "--url", service.url]);
  const shown = stdout.split(/^(?=\? )/m);
  expect(shown).toHaveLength(requests.length);
  return shown;
}

describe("what is to be approved", () => {
  it("shows the difference where its text hides what does not show", async () => {
    const kinds = Object.entries(UNSEEN_KINDS);
    const hiding = kinds.map(([, hidden]) => ({ inputJson: `{"command":"${hidden}rm"}` }));
    const [plain, ...shown] = await shownOf({ inputJson: '{"command":"rm"}' }, ...hiding);
    for (const [index, [kind]] of kinds.entries()) {
      const text = shown[index]!;
      expect(unseenIn(text), kind).toEqual([]);
      expect(text, kind).not.toBe(plain);
      expect(text, kind).toContain("\\u{");
      expect(text, kind).toContain("! It has characters that do not show");
    }
  });

  it("shows a space that is none, and letters that only look alike", async () => {
    const [spaced, mixed, plain] = await shownOf(
      { inputJson: '{"command":"rm\u00a0-rf"}' },
      { inputJson: '{"command":"systemctl st\u043ep"}' },
      { inputJson: '{"command":"echo größe größer"}' },
    );
    expect(spaced).toContain("rm\\u{a0}-rf");
    expect(mixed).toContain("! It mixes alphabets that look alike in st\u043ep: U+43e.");
    expect(plain).not.toContain("!");
  });

  it("is not moved off the screen by its own lines, nor ends its margin", async () => {
    const [tall, wide] = await shownOf(
      { inputJson: `{"command":"rm -rf /",${"\n".repeat(500)}"description":"ls"}` },
      { inputJson: '{\n"command":\n"ls"}' },
    );
    expect(tall).not.toContain('"ls"');
    expect(tall).toContain("(the input has 501 lines; breakglass attach");
    expect(wide).toContain('  | {\n  | "command":\n  | "ls"}\n');
  });

  it("is answered by commands in which a server's ids are words of the shell, and no options", async () => {
    const [text, option] = await shownOf(
      { inputJson: "{}", approvalId: "A; rm -rf ~ #\n$(id)" },
      { inputJson: "{}", approvalId: "--url=http://evil" },
    );
    expect(text).toMatch(/breakglass approve --url \S+ T 'A; rm -rf ~ #\\u\{a\}\$\(id\)'\n/);
    expect(option).toMatch(/breakglass approve --url \S+ T '\\u\{2d\}-url=http:\/\/evil'\n/);
  });
});

describe.concurrent("what the user's own arguments and files are called", () => {
  it.each([
    ["an unknown command", [ARGUMENT]],
    ["an unknown option", ["run", `--${ARGUMENT}`, "x"]],
    ["an argument too many", ["cancel", "x", ARGUMENT]],
    ["an option's value", ["run", "--timeout", ARGUMENT, "x"]],
    ["a cursor", ["watch", "--after", ARGUMENT, "x"]],
    ["a URL", ["sessions", "--url", ARGUMENT]],
    ["a file", ["run", "--attach", ARGUMENT, "x"]],
  ])("reaches the terminal escaped: %s", async (_what, args) => {
    const ended = await runCommand(args);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/\\u(\{1b\}|001b)/);
    expect(ended.stderr.trimEnd().split("\n")).toHaveLength(1);
    expectSafe(ended);
  });

  it("reaches it escaped from a variable, in serve too", async () => {
    const root = await mkdtemp(join(tmpdir(), "breakglass-terminal-"));
    try {
      const environment = { BREAKGLASS_LISTEN: ARGUMENT, BREAKGLASS_DATA_DIR: root };
      const ended = await runCommand(["serve"], { environment });
      expect(ended.status).toBe(2);
      expectSafe(ended);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});

describe("the way out", () => {
  it("is that of a defect too, with its stack", async () => {
    const directory = await mkdtemp(join(tmpdir(), "breakglass-defect-"));
    try {
      const path = join(directory, "defect.mjs");
      await writeFile(
        path,
        `const timer = setInterval(() => {
          if (process.listenerCount("uncaughtException") === 0) return;
          clearInterval(timer);
          throw new Error("\u001b[2J\u202e");
        });`,
      );
      const environment = { NODE_OPTIONS: `--import=${path}` };
      const ended = await runCommand(["run", "-"], { environment });
      expect(ended.status).toBe(1);
      expect(ended.stderr).toContain("breakglass: Error: \\u{1b}[2J\\u{202e}\n");
      expectSafe(ended);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  const root = fileURLToPath(new URL("../../src/", import.meta.url));
  const sources = globSync(["{commands,drill}/*.ts", "main.ts", "../clients/typescript/src/*.ts"], {
    cwd: root,
  });
  const linesWith = (pattern: RegExp) =>
    sources.flatMap((source) =>
      readFileSync(join(root, source), "utf8")
        .split("\n")
        .filter((line) => pattern.test(line) && !/^\s*(\*|\/\/)/.test(line))
        .map((line) => `${source}: ${line.trim()}`),
    );

  it("is one: nothing is printed but by a terminal, which takes nothing that was not made safe", () => {
    expect(sources.length).toBeGreaterThan(30);
    const writes = linesWith(/process\.(stdout|stderr)|console\.|writeSync/);
    const others = writes.filter(
      (line) => !line.includes("openTerminal(process.stdout, process.stderr"),
    );
    // The log has an escaping of its own, and is written past a stream that could fail for good; a shell's script is ours, and
    // has nothing of anyone's in it; a page's console is no terminal.
    const own =
      /^commands\/(serve|fake|completion|log-\w+)\.ts:|onWarning = \(message\) => console\.warn/;
    expect(others.filter((line) => !own.test(line))).toEqual([]);
    const claims = linesWith(/\bas (Printable|never|any)/).map((line) => line.split(":")[0]);
    expect([...new Set(claims)].sort()).toEqual([
      "commands/terminal-text.ts",
      "commands/terminal.ts",
    ]);
  });
});
