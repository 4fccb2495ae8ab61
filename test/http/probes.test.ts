import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { createGate, script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";
import { ask, runPlain } from "./support.ts";

const CREDENTIALS = { ANTHROPIC_API_KEY: "made up" };

interface Shown {
  readonly ready: boolean;
  readonly checks: readonly {
    name: string;
    ok: boolean;
    problem?: string;
    warning?: string;
    mend?: string;
  }[];
}

async function ready(url: string, options: Parameters<typeof ask>[1] = {}) {
  const { status, body, headers } = await ask(`${url}/readyz`, options);
  const shown = JSON.parse(body) as Shown;
  return { status, headers, shown, failing: shown.checks.filter(({ ok }) => !ok) };
}

/** As a probe does: again, until the agent's program has said its version. */
function seen(url: string, options: Parameters<typeof ask>[1] = {}) {
  return eventually(
    () => ready(url, options),
    ({ failing }) => !failing.some(({ problem = "" }) => problem.includes("not said its version")),
    30_000,
  );
}

describe("/healthz", () => {
  it("answers whoever asks, by whatever name the server is called", async () => {
    await using server = await startTestServer();
    for (const method of ["GET", "HEAD"]) {
      const headers = { host: "10.1.2.3:8080", authorization: "Bearer of nothing" };
      const { status, body } = await ask(`${server.url}/healthz`, { method, headers });
      expect({ status, body }).toEqual({
        status: 200,
        body: method === "GET" ? '{"status":"ok"}\n' : "",
      });
    }
    const posted = await ask(`${server.url}/healthz`, { body: "{}" });
    expect([posted.status, posted.headers.allow]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });
});

describe("/readyz", () => {
  it("names each check, all of them well", async () => {
    await using server = await startTestServer(CREDENTIALS);
    const { status, shown, headers } = await seen(server.url);
    expect(shown).toEqual({
      ready: true,
      checks: ["serving", "store", "disk", "agent", "credentials", "audit_heads"].map((name) => ({
        name,
        ok: true,
      })),
    });
    expect([status, headers["cache-control"]]).toEqual([200, "no-store"]);
  });

  it("says what is wrong with the agent and its credentials, and what to do", async () => {
    await using server = await startTestServer({ BREAKGLASS_AGENT_COMMAND: "/nowhere/claude" });
    const { status, failing } = await seen(server.url);
    expect(status).toBe(503);
    expect(failing.map(({ name }) => name)).toEqual(["agent", "credentials"]);
    expect(failing[0]?.problem).toBe("/nowhere/claude --version cannot be started: ENOENT");
    expect(failing[1]?.mend).toContain("ANTHROPIC_API_KEY");
  });

  it("takes a program for broken that says no version, ends badly or hangs", async () => {
    await using server = await startTestServer(CREDENTIALS);
    const program = join(server.root, "program");
    for (const [text, problem] of [
      ["echo hello", "says no version"],
      ["echo 2.1.330; exit 3", "ends with 3"],
      ["kill -9 $$", "was ended by SIGKILL"],
    ]) {
      await writeFile(program, `#!/bin/sh\n${text}\n`, { mode: 0o700 });
      await server.restart({ BREAKGLASS_AGENT_COMMAND: program });
      const { failing } = await seen(server.url);
      expect(failing).toMatchObject([
        { name: "agent", problem: `${program} --version ${problem}` },
      ]);
    }
  });

  it("answers while the program hangs, and starts it once for all who ask", async () => {
    await using server = await startTestServer(CREDENTIALS);
    const started = join(server.root, "started");
    const program = join(server.root, "program");
    const text = `#!/bin/sh\necho x >>${started}\nexec sleep 600\n`;
    await writeFile(program, text, { mode: 0o700 });
    await server.restart({ BREAKGLASS_AGENT_COMMAND: program });
    const all = await Promise.all(Array.from({ length: 20 }, () => ready(server.url)));
    for (const { status, failing } of all) {
      expect(status).toBe(503);
      expect(failing).toMatchObject([{ name: "agent" }]);
      expect(failing[0]?.problem).toContain("has not said its version yet");
    }
    const { failing } = await seen(server.url);
    expect(failing[0]?.problem).toBe(`${program} --version says nothing within 15 s`);
    expect(readFileSync(started, "utf8")).toBe("x\n");
  }, 40_000);

  it("tells strangers which checks fail, and nothing of the machine", async () => {
    await using server = await startTestServer(CREDENTIALS);
    const file = join(server.root, "tokens");
    await writeFile(file, tokenLine("secret", "alice"), { mode: 0o600 });
    await server.restart({
      BREAKGLASS_TOKENS_FILE: file,
      BREAKGLASS_AGENT_COMMAND: "/nowhere/claude",
    });
    const authorization = "Bearer secret";
    await seen(server.url, { headers: { authorization } });
    const stranger = await ready(server.url, { headers: { host: "10.1.2.3" } });
    expect(stranger.failing).toEqual([{ name: "agent", ok: false }]);
    expect(stranger.status).toBe(503);
    const alice = await ready(server.url, { headers: { authorization } });
    expect(alice.failing[0]?.problem).toContain("/nowhere/claude");
    // A page elsewhere that has the browser send a token along is a stranger.
    const page = await ready(server.url, {
      headers: { authorization, origin: "https://elsewhere.test" },
    });
    expect(page.failing).toEqual([{ name: "agent", ok: false }]);
  });

  it("is ready where the audit's heads are not taken, and says why to those who may know", async () => {
    const settings = { BREAKGLASS_AUDIT_HEADS_FILE: "/dev/null/heads" };
    const often = { BREAKGLASS_AUDIT_HEAD_SECONDS: "1" };
    await using server = await startTestServer({ ...CREDENTIALS, ...settings, ...often });
    await seen(server.url);
    const { status, shown } = await eventually(
      () => ready(server.url),
      (answer) => answer.shown.checks.some(({ warning }) => warning !== undefined),
      30_000,
    );
    expect([status, shown.ready]).toEqual([200, true]);
    const told = shown.checks.find(({ name }) => name === "audit_heads");
    expect(told).toMatchObject({ ok: true });
    expect(told?.warning).toContain("/dev/null/heads: ENOTDIR");
    const stranger = await ready(server.url, { headers: { origin: "https://elsewhere.test" } });
    expect(stranger.shown.checks.at(-1)).toEqual({ name: "audit_heads", ok: true });
  });

  it("is not ready while no turn can be recorded, if only for the audit", async () => {
    await using server = await startTestServer(CREDENTIALS);
    await seen(server.url);
    const inStore = async (sql: string) => {
      await server.drain();
      const database = new DatabaseSync(join(server.root, "data", "breakglass.db"));
      database.exec(sql);
      database.close();
      await server.restart();
    };
    await inStore(
      "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no more'); END",
    );
    const { status, failing } = await seen(server.url);
    expect(status).toBe(503);
    expect(failing).toMatchObject([{ name: "store" }]);
    const { body } = await ask(`${server.url}/metrics`);
    expect(body).toContain("breakglass_store_takes_writes 0");
    await inStore("DROP TRIGGER full");
    expect((await seen(server.url)).status).toBe(200);
  });

  it("is not ready while it drains", async () => {
    await using server = await startTestServer({ ...CREDENTIALS, BREAKGLASS_DRAIN_SECONDS: "60" });
    await seen(server.url);
    const gate = createGate(server.root);
    const running = runPlain(server.url, script("say one", gate.step, "say two"));
    await eventually(
      () => server.processes().length,
      (count) => count > 0,
    );
    const drained = server.drain();
    const { status, failing } = await ready(server.url);
    expect(status).toBe(503);
    expect(failing.map(({ name }) => name)).toEqual(["serving"]);
    gate.open();
    await running;
    await drained;
  });
});
