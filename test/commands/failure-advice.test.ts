import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { startOnTerminal } from "./on-terminal.ts";
import { runCommand } from "./run-command.ts";

async function stderrOf(args: string[], environment = {}): Promise<string> {
  const { status, stdout, stderr } = await runCommand(args, { environment });
  expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
  return stderr;
}

/** Another server, which answers everything with a page. */
async function withOther<T>(
  server: Pick<Server, "listen" | "address" | "close">,
  use: (url: string) => Promise<T>,
) {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

describe("a command that cannot do what it was asked says what to do", () => {
  it("where it has no token, or a wrong one", async () => {
    await using server = await startTestServer();
    const tokens = join(server.root, "tokens");
    await writeFile(tokens, tokenLine("alices", "alice"), { mode: 0o600 });
    await server.restart({ BREAKGLASS_TOKENS_FILE: tokens });
    const args = ["sessions", "--url", server.url];
    expect(await stderrOf(args)).toContain(
      "\n  Set BREAKGLASS_TOKEN to a token that the server knows.\n",
    );
    expect(await stderrOf(args, { BREAKGLASS_TOKEN: "nobodys" })).toContain(
      "\n  The token in BREAKGLASS_TOKEN is not one that the server knows",
    );
    const refused = server.log.filter((line) => line.includes("a request was refused"));
    const common = { reason: "UNAUTHENTICATED", from: "127.0.0.1" };
    expect(refused.map((line) => JSON.parse(line))).toMatchObject([
      { ...common, means: "none", why: "it carries no credential" },
      { ...common, means: "token", why: "its token is unknown" },
    ]);
    expect(server.log.join()).not.toContain("nobodys");
  });

  it("where TLS is spoken to a port without it", async () => {
    await using server = await startTestServer();
    const https = server.url.replace("http:", "https:");
    expect(await stderrOf(["sessions", "--url", https])).toContain(
      "without it a URL begins with http:",
    );
  });

  it("where nothing listens, or there is no such host", async () => {
    expect(await stderrOf(["sessions", "--url", "http://127.0.0.1:1"])).toContain(
      "\n  Nothing listens there",
    );
    expect(await stderrOf(["sessions", "--url", "http://nowhere.invalid:1"])).toContain(
      "no host of that name",
    );
  });

  it("where a turn is in the way", async () => {
    await using server = await startTestServer();
    const url = ["--url", server.url];
    await using run = startOnTerminal(["run", ...url, "hang"], { columns: 40 });
    await run.see("new conversation]");
    expect(run.screen()).toContain("\n[scripted-model, agent breakglass,\n    version");
    const [, turnId, sessionId] = /turn\s+(\S+)\s+session\s+(\S+)/.exec(run.screen()) ?? [];
    for (const command of [
      ["delete", sessionId!],
      ["run", "--session", sessionId!, "say x"],
    ]) {
      expect(await stderrOf([...command, ...url])).toContain(
        `  Wait until that turn is over, or end it: breakglass cancel --url ${server.url} ${turnId}\n`,
      );
    }
  });

  it("where another HTTP server answers", async () => {
    const one = createServer((_request, response) => response.end("<h1>Welcome</h1>"));
    const advice = "It is not breakglass that answers there";
    await withOther(one, async (url) =>
      expect(await stderrOf(["sessions", "--url", url])).toContain(advice),
    );
    for (const [status, text] of [
      [200, advice],
      [404, advice],
      [502, "It is a proxy that answers"],
    ] as const) {
      const two = createHttp2Server((_request, response) => {
        response.writeHead(status, { "content-type": "text/html" });
        response.end("<h1>Welcome</h1>");
      });
      await withOther(two as never, async (url) => {
        expect(await stderrOf(["sessions", "--url", url])).toContain(text);
      });
    }
  });

  it.each([
    [["--session", "nope"], "  --session: must be empty or a UUID\n"],
    [["--model", "a b"], "  --model: must be of "],
    [["--request-id", "5"], "  --request-id: must be empty or a UUID\n"],
  ])("where %j is wrong, by that name", async (option, text) => {
    await using server = await startTestServer();
    expect(await stderrOf(["run", "--url", server.url, ...option, "say x"])).toContain(text);
  });
});
