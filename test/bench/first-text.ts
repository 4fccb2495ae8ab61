import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { shippedAgents } from "../../src/agent/claude/agent-definition.ts";
import { claudeArguments, promptMessage } from "../../src/agent/claude/command-line.ts";
import { configDirectory } from "../../src/agent/claude/config-directory.ts";
import { agentEnvironment } from "../../src/agent/claude/environment.ts";
import { resolveCommand } from "../../src/agent/claude/executable.ts";
import { parseMessage } from "../../src/agent/claude/line.ts";
import { createBreakglassClient } from "../../src/client/breakglass-client.ts";
import { openGrpcConnection } from "../../src/client/grpc-connection.ts";
import { say } from "../../src/drill/script.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { type Figure, median } from "./figure.ts";
import { type Service, startService } from "./service.ts";

const PAIRS = 15;
const PROMPT = "Say hello.";

/**
 * How long it takes from RunTurn to the first text of the real CLI, against the CLI alone, spawned with the same arguments,
 * environment and stdin. The model is scripted.
 */
export async function measureFirstText(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const model = await startScriptedModel([{ when: PROMPT, steps: [say("Hello.")] }]);
  cleanup.defer(() => model.stop());
  const service = cleanup.use(
    await startService({
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: "made-up",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      IS_SANDBOX: "1",
    }),
  );
  const connection = openGrpcConnection(service.url, undefined);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);

  const throughService = async () => {
    const start = performance.now();
    let first: number | undefined;
    let sessionId = "";
    for await (const { event } of client.runTurn({ prompt: PROMPT })) {
      if (event?.kind.case === "text") first ??= performance.now() - start;
      sessionId = event?.sessionId ?? "";
    }
    // Done only once the CLI is gone, so that the next one has the machine to itself.
    await client.deleteSession({ sessionId });
    return milliseconds(first);
  };

  const served: number[] = [];
  const alone: number[] = [];
  await throughService();
  await runAlone(service);
  for (let pair = 0; pair < PAIRS; pair++) {
    served.push(await throughService());
    alone.push(await runAlone(service));
  }
  const value = median(served);
  const limit = median(alone);
  return [{ figure: "first text", value, unit: "ms", limit, bar: { atMost: 1.15 } }];
}

async function runAlone({ environment }: Service): Promise<number> {
  const agentSessionId = randomUUID();
  const workspace = join(environment.HOME ?? "", "alone", agentSessionId);
  await mkdir(workspace, { recursive: true });
  const processId = randomUUID();
  const agent = "breakglass";
  const turn = { workspace, agentSessionId, prompt: PROMPT, model: "sonnet", agent, processId };
  const agents = await shippedAgents(agent, workspace, configDirectory(environment));
  const args = claudeArguments(turn, "new", agents);
  const env = agentEnvironment(environment, [], processId);
  const command = resolveCommand(undefined, environment);

  const start = performance.now();
  const cli = spawn(command, args, { cwd: workspace, env, detached: true, stdio: "pipe" });
  cli.stdin.write(promptMessage(PROMPT));
  const closed = once(cli, "close");
  let first: number | undefined;
  const lines = new ByteLines(1_000_000, {
    line(bytes) {
      const message = parseMessage(Buffer.from(bytes).toString());
      if (message?.type === "assistant") first ??= performance.now() - start;
      if (message?.type === "result") cli.stdin.end();
    },
    skipped() {},
  });
  cli.stderr.resume();
  for await (const chunk of cli.stdout) lines.push(chunk as Buffer);
  await closed;
  return milliseconds(first);
}

function milliseconds(first: number | undefined): number {
  if (first === undefined) throw new Error("no text came");
  return first;
}
