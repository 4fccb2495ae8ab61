import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { CLI_VERSIONS, traitsOf } from "../../src/agent/claude/cli-versions.ts";
import { claudeArguments } from "../../src/agent/claude/command-line.ts";
import { agentEnvironment } from "../../src/agent/claude/environment.ts";
import { userMessage } from "../../src/agent/claude/input-lines.ts";
import { parseMessage } from "../../src/agent/claude/line.ts";
import { NO_RULES } from "../../src/agent/claude/permission-rules.ts";
import { listProcesses, readEnvironmentVariable } from "../../src/agent/process/process-table.ts";
import { PROCESS_ID_VARIABLE } from "../../src/config/environment.ts";
import { bash, type Script, say, tool } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";
import { eventually } from "../support/processes.ts";

const SCRIPT: Script = [
  {
    when: "background",
    steps: [
      tool("Bash", { command: "echo b", description: "b", run_in_background: true }),
      say("x"),
    ],
  },
  { when: "endless", steps: [bash("tail -f /dev/null")] },
  { when: "hello", steps: [say("Hello.")] },
];

/** A program of the CLI, as the adapter starts it, and what it has printed. */
interface Program extends AsyncDisposable {
  readonly cli: ChildProcessWithoutNullStreams;
  readonly lines: Record<string, unknown>[];
  /** The endless command that it runs. */
  commands(): number[];
  /** Hands it a prompt; resolves with the result. */
  ask(prompt: string): Promise<Record<string, unknown>>;
}

async function startProgram(command: string): Promise<Program> {
  await using cleanup = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "breakglass-cli-"));
  cleanup.defer(() => rm(home, { recursive: true, force: true, maxRetries: 3 }));
  const model = await startScriptedModel(SCRIPT);
  cleanup.defer(() => model.stop());
  const place = {
    ...{ workspace: home, agentSessionId: randomUUID(), model: "sonnet", agent: "general-purpose" },
  };
  const limits = { trustsWorkspace: false, rules: NO_RULES };
  const processId = randomUUID();
  const server = {
    ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: join(home, ".claude") },
    ...{ ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: "made-up", IS_SANDBOX: "1" },
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
  const env = { ...agentEnvironment(server, []), [PROCESS_ID_VARIABLE]: processId };
  const args = claudeArguments(place, "new", PermissionMode.BYPASS, limits, undefined);
  const cli = spawn(command, args, { cwd: home, env });
  const marked = () =>
    listProcesses()
      .map(({ pid }) => pid)
      .filter((pid) => readEnvironmentVariable(pid, PROCESS_ID_VARIABLE) === processId);
  cleanup.defer(async () => {
    for (const pid of marked()) process.kill(pid, "SIGKILL");
    await eventually(marked, (pids) => pids.length === 0);
  });
  const lines: Record<string, unknown>[] = [];
  const framing = new ByteLines(10_000_000, {
    line: (bytes) => void lines.push({ ...parseMessage(Buffer.from(bytes).toString()) }),
    skipped() {},
  });
  cli.stdout.on("data", (chunk: Buffer) => framing.push(chunk));
  cli.stderr.resume();
  const results = () => lines.filter(({ type }) => type === "result");
  const owned = cleanup.move();
  return {
    cli,
    lines,
    commands: () => marked().filter((pid) => commandLine(pid).startsWith("tail\0")),
    async ask(prompt) {
      const before = results().length;
      cli.stdin.write(userMessage(randomUUID(), prompt));
      return (await eventually(results, ({ length }) => length > before)).at(-1)!;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

describe.each(INSTALLED_CLIS)(
  "the table of versions, held against $version",
  ({ version, command }) => {
    const traits = CLI_VERSIONS[version]!;

    it("has it", () => expect(traits).toBeDefined());

    it("says how it tells of messages, spending and tasks", async () => {
      await using program = await startProgram(command);
      await program.ask("hello");
      const result = await program.ask("background");
      const types = new Set(program.lines.map(({ type }) => type));
      const subtypes = new Set(program.lines.map(({ subtype }) => subtype));
      expect({
        messageLifecycle: types.has("command_lifecycle"),
        spendingSinceResult: Object.hasOwn(result, "model_usage_since_last_result"),
        listsTasks: subtypes.has("background_tasks_changed"),
      }).toEqual({
        messageLifecycle: traits.messageLifecycle,
        spendingSinceResult: traits.spendingSinceResult,
        listsTasks: traits.listsTasks,
      });
    });

    it("says what SIGTERM leaves of the command in the foreground", async () => {
      await using program = await startProgram(command);
      program.cli.stdin.write(userMessage(randomUUID(), "endless"));
      await eventually(program.commands, (pids) => pids.length > 0);
      program.cli.kill("SIGTERM");
      await once(program.cli, "exit");
      if (traits.terminatesCommand) {
        expect(await eventually(program.commands, (pids) => pids.length === 0)).toEqual([]);
      } else expect(program.commands().length).toBeGreaterThan(0);
    });
  },
);

describe("traitsOf", () => {
  it("takes a version between two for the older one, and what is older or none for the oldest", () => {
    const versions = Object.keys(CLI_VERSIONS);
    for (const version of versions) expect(traitsOf(version)).toBe(CLI_VERSIONS[version]);
    const [oldest, next] = versions.map((version) => version.split(".").map(Number));
    const between = [...next!.slice(0, 2), next![2]! - 1].join(".");
    for (const version of [between, "0.9.999", "", "nonsense"]) {
      expect(traitsOf(version)).toBe(CLI_VERSIONS[oldest!.join(".")]);
    }
    expect(traitsOf("999.0.0")).toBe(CLI_VERSIONS[versions.at(-1)!]);
  });
});
