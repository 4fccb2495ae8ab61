import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { claudeArguments } from "../../src/agent/claude/command-line.ts";
import { agentEnvironment } from "../../src/agent/claude/environment.ts";
import { userMessage } from "../../src/agent/claude/input-lines.ts";
import { type Message, parseMessage } from "../../src/agent/claude/line.ts";
import { NO_RULES } from "../../src/agent/claude/permission-rules.ts";
import { startScriptedModel } from "../../src/drill/scripted-model.ts";
import { ByteLines } from "../../src/stream/byte-lines.ts";
import { makeCertificate } from "../security/certificate.ts";
import { commandOf, SCRIPT } from "../security/planted-cli.ts";
import { eventually } from "../support/processes.ts";

// A person who is logged in to claude.ai has connectors there: servers of MCP, whose tools the CLI takes up by itself. They lie
// in no file, and `--setting-sources ''` does not keep them out; 2.1.197 takes none up that is run like this.

/** What answers for api.anthropic.com, as a proxy: one connector, and nothing else. */
async function startConnectors(root: string) {
  const { BREAKGLASS_TLS_CERT: cert, BREAKGLASS_TLS_KEY: key } = makeCertificate(root);
  const connector = {
    type: "mcp_server",
    id: "mcpsrv_1",
    display_name: "Planted",
    created_at: "2026-01-01T00:00:00Z",
  };
  const answer = {
    data: [{ ...connector, url: "https://api.anthropic.com/planted" }],
    has_more: false,
    next_page: null,
  };
  const asked: string[] = [];
  const options = { cert: await readFile(cert!), key: await readFile(key!) };
  const inner = createTlsServer(options, ({ url = "" }, response) => {
    asked.push(url);
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  });
  const proxy = createServer((socket) => {
    socket
      .on("error", () => {})
      .once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        inner.emit("connection", socket);
      });
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  return { url, asked, [Symbol.dispose]: () => void proxy.close() };
}

/** The servers of MCP that a process knows which was started for ASK with those arguments, and a login. */
async function serversOf(change: (args: string[]) => string[]): Promise<unknown> {
  await using cleanup = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), "breakglass-connectors-"));
  cleanup.defer(() => rm(home, { recursive: true, force: true, maxRetries: 3 }));
  const model = await startScriptedModel(SCRIPT);
  cleanup.defer(() => model.stop());
  const connectors = cleanup.use(await startConnectors(home));
  const configDir = join(home, ".claude");
  await mkdir(configDir);
  const scopes = ["user:inference", "user:profile", "user:mcp_servers"];
  const login = { accessToken: "made-up", refreshToken: "made-up", expiresAt: Date.now() + 1e9 };
  const credentials = { claudeAiOauth: { ...login, scopes, subscriptionType: "max" } };
  await writeFile(join(configDir, ".credentials.json"), JSON.stringify(credentials));
  const server = {
    ...{ PATH: process.env.PATH, HOME: home, CLAUDE_CONFIG_DIR: configDir, IS_SANDBOX: "1" },
    ANTHROPIC_BASE_URL: model.url,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
  const env = {
    ...agentEnvironment(server, []),
    ...{ HTTPS_PROXY: connectors.url, NO_PROXY: "127.0.0.1", NODE_TLS_REJECT_UNAUTHORIZED: "0" },
  };
  const ids = { workspace: home, agentSessionId: randomUUID() };
  const place = { ...ids, model: "sonnet", agent: "Explore" };
  const limits = { trustsWorkspace: false, rules: NO_RULES };
  const args = claudeArguments(place, "new", PermissionMode.ASK, limits, undefined);
  const cli = spawn(commandOf("2.1.330"), change(args), { cwd: home, env });
  cleanup.defer(async () => {
    const exited = once(cli, "exit");
    cli.kill("SIGKILL");
    await exited;
  });
  const messages: (Message & { mcp_servers?: readonly { name: string }[] })[] = [];
  const framing = new ByteLines(10_000_000, {
    line: (bytes) => void messages.push(parseMessage(Buffer.from(bytes).toString())!),
    skipped() {},
  });
  cli.stdout.on("data", (chunk: Buffer) => framing.push(chunk));
  cli.stderr.resume();
  cli.stdin.write(userMessage(randomUUID(), "hello"));
  const init = () => messages.find(({ subtype }) => subtype === "init");
  await eventually(init, (found) => found !== undefined, 60_000);
  expect(connectors.asked.join()).toContain("/v1/mcp_servers");
  return init()?.mcp_servers?.map(({ name }) => name);
}

it("a login's connectors are no tools of a turn in the mode ASK", {
  timeout: 150_000,
}, async () => {
  expect(await serversOf((args) => args)).toEqual([]);
  const loose = (args: string[]) => args.filter((arg) => arg !== "--strict-mcp-config");
  expect(await serversOf(loose)).toEqual(["claude.ai Planted"]);
});
