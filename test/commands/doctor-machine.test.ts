import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Server } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { MACHINE_CHECKS } from "../../src/doctor/examine-machine.ts";
import { makeCertificate, renewCertificate } from "../security/certificate.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";
import { runCommand } from "./run-command.ts";

interface Finding {
  readonly check: string;
  readonly outcome: "well" | "warning" | "failure";
  readonly text: string;
  readonly mend: string;
}

/** A model's API: it answers, and has a clock. */
async function startApi(skewMs = 0): Promise<AsyncDisposable & { url: string }> {
  const server = createServer({}, (_request, response) => {
    response.sendDate = false;
    response.writeHead(404, { date: new Date(Date.now() + skewMs).toUTCString() }).end();
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, ...closing(server) };
}

function closing(server: Server): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** What the doctor finds with these settings, and its exit status. */
async function examine(settings: Readonly<Record<string, string>>) {
  await using api = await startApi();
  await using environment = await createTestEnvironment({
    ANTHROPIC_API_KEY: "made up",
    ANTHROPIC_BASE_URL: api.url,
    ...settings,
  });
  const { status, stdout, stderr } = await runCommand(["doctor", "--json"], {
    environment: environment.variables,
  });
  expect(stderr).toBe("");
  const findings = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  const of = (name: string) => findings.find(({ check }) => check === name)!;
  expect(existsSync(environment.variables.BREAKGLASS_DATA_DIR!)).toBe(false);
  return { status, findings, of };
}

describe("the doctor of a machine", () => {
  it("goes through its parts in order, and exits with 0 where nothing fails", async () => {
    const { status, findings, of } = await examine({});
    const names = findings.map(({ check }) => check);
    expect(names).toEqual(MACHINE_CHECKS.filter((name) => name !== "certificate"));
    expect(findings.filter(({ outcome }) => outcome === "failure")).toEqual([]);
    expect(of("agent")).toMatchObject({ outcome: "warning" });
    expect(of("agent").mend).toContain("doctor --agent");
    expect(of("clock").text).toMatch(/within \d s of the API's/);
    for (const { outcome, mend } of findings) expect(mend === "").toBe(outcome === "well");
    expect(status).toBe(0);
  });

  it.each<[string, Record<string, string>, string, RegExp, RegExp]>([
    [
      "no CLI",
      { BREAKGLASS_AGENT_COMMAND: "/nowhere/claude" },
      "agent",
      /cannot be started: ENOENT/,
      /BREAKGLASS_AGENT_COMMAND/,
    ],
    [
      "no credentials",
      { ANTHROPIC_API_KEY: "" },
      "credentials",
      /no credentials/,
      /ANTHROPIC_API_KEY/,
    ],
    [
      "an API that is not reached",
      { ANTHROPIC_BASE_URL: "http://secret:word@127.0.0.1:1" },
      "api",
      /^the model's API does not answer at http:\/\/127\.0\.0\.1:1: ECONNREFUSED$/,
      /network/,
    ],
    [
      "a data directory where none can be",
      { BREAKGLASS_DATA_DIR: "/proc/none" },
      "directories",
      /BREAKGLASS_DATA_DIR is "\/proc\/none", which cannot be made in \/proc: ENOENT/,
      /another directory/,
    ],
    [
      "sessions where none can be",
      { BREAKGLASS_SESSIONS_DIR: "/proc/none" },
      "directories",
      /BREAKGLASS_SESSIONS_DIR is "\/proc\/none"/,
      /another directory/,
    ],
    [
      "a disk that takes no file",
      { BREAKGLASS_DATA_DIR: "/proc/none" },
      "disk",
      /takes no file/,
      /BREAKGLASS_DATA_DIR/,
    ],
    [
      "a socket without a directory",
      { BREAKGLASS_LISTEN: "unix:/nowhere/socket" },
      "listen",
      /\/nowhere is no directory: make it first/,
      /BREAKGLASS_LISTEN/,
    ],
    [
      "a key for the audit that is none",
      { BREAKGLASS_AUDIT_KEY: "/nowhere" },
      "access",
      /BREAKGLASS_AUDIT_KEY is "\/nowhere"/,
      /mend/,
    ],
    [
      "an address of another machine",
      { BREAKGLASS_LISTEN: "192.0.2.1:7433", BREAKGLASS_TOKENS_FILE: "/nowhere" },
      "listen",
      /EADDRNOTAVAIL/,
      /BREAKGLASS_LISTEN/,
    ],
    [
      "a tokens file that is not there",
      { BREAKGLASS_TOKENS_FILE: "/nowhere" },
      "access",
      /BREAKGLASS_TOKENS_FILE is "\/nowhere"/,
      /mend/,
    ],
    [
      "rules that cannot be read",
      { BREAKGLASS_RULES_FILE: "/nowhere" },
      "agent",
      /BREAKGLASS_RULES_FILE is "\/nowhere"/,
      /mend/,
    ],
  ])("tells of %s, and what to do", async (_what, settings, check, text, mend) => {
    const { status, of } = await examine(settings);
    expect(of(check)).toMatchObject({ outcome: "failure" });
    expect(of(check).text).toMatch(text);
    expect(of(check).mend).toMatch(mend);
    expect(status).toBe(1);
  });

  it("refuses directories that others can change, and a store of a newer version", async () => {
    await using kept = await createTestEnvironment();
    const dataDir = join(kept.root, "shared");
    await mkdir(dataDir);
    const settings = { BREAKGLASS_DATA_DIR: dataDir };
    const examined = async () => {
      const { status, stdout } = await runCommand(["doctor", "--json"], {
        environment: { ...kept.variables, ...settings, ANTHROPIC_BASE_URL: "http://127.0.0.1:1" },
      });
      expect(status).toBe(1);
      const findings = stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Finding);
      return (name: string) => findings.find(({ check }) => check === name);
    };
    await chmod(dataDir, 0o777);
    expect((await examined())("directories")).toMatchObject({
      outcome: "failure",
      text: expect.stringContaining(`${dataDir}", which has the mode 0777`),
    });
    await chmod(dataDir, 0o700);
    using database = new DatabaseSync(join(dataDir, "breakglass.db"));
    database.exec("CREATE TABLE turns (turn_id); PRAGMA user_version = 999");
    const of = await examined();
    expect(of("directories")).toMatchObject({ outcome: "well" });
    expect(of("store")).toMatchObject({
      outcome: "failure",
      text: expect.stringContaining("schema version 999"),
    });
  });

  it("says that credentials are not looked at where the agent does not run", async () => {
    const { of } = await examine({ BREAKGLASS_AGENT_COMMAND: "/nowhere/claude" });
    expect(of("credentials")).toMatchObject({ outcome: "warning" });
    expect(of("credentials").text).toContain("the agent does not run");
  });

  it("stops at settings that cannot be used, and names them", async () => {
    const { status, findings } = await examine({ BREAKGLASS_PERMISION_MODE: "ask" });
    expect(findings.map(({ check }) => check)).toEqual(["node", "settings"]);
    expect(findings[1]?.text).toContain("did you mean BREAKGLASS_PERMISSION_MODE?");
    expect(status).toBe(1);
  });

  it("compares the clock with the API's", async () => {
    await using ahead = await startApi(-3_600_000);
    const { of } = await examine({ ANTHROPIC_BASE_URL: ahead.url });
    expect(of("clock").text).toMatch(/^the clock is 3(599|600|601) s ahead/);
    await using behind = await startApi(7_200_000);
    const again = await examine({ ANTHROPIC_BASE_URL: behind.url });
    expect(again.of("clock").text).toMatch(/^the clock is 7(199|200|201) s behind/);
  });

  it("tells when the certificate ends", async () => {
    await using environment = await createTestEnvironment();
    const long = makeCertificate(environment.root);
    expect((await examine(long)).of("certificate")).toMatchObject({ outcome: "well" });
    const DAY_MS = 86_400_000;
    for (const [days, outcome, text] of [
      [5, "warning", /4 days more/],
      [-1, "failure", /the certificate ended at/],
    ] as const) {
      renewCertificate(environment.root, long, Date.now() + days * DAY_MS);
      expect((await examine(long)).of("certificate")).toMatchObject({
        outcome,
        text: expect.stringMatching(text),
      });
    }
    await writeFile(long.BREAKGLASS_TLS_CERT!, "no certificate");
    expect((await examine(long)).of("certificate")).toMatchObject({ outcome: "failure" });
  });

  it("knows a server of its own kind on the address from another program", async () => {
    await using server = await startTestServer({ ANTHROPIC_API_KEY: "made up" });
    const { host } = new URL(server.url);
    await fetch(`${server.url}/readyz`);
    const own = await examine({ BREAKGLASS_LISTEN: host });
    expect(own.of("listen").text).toMatch(new RegExp(`^a server runs on ${host}`));
    await using files = await createTestEnvironment();
    const tls = makeCertificate(files.root);
    await using encrypted = await startTestServer({ ANTHROPIC_API_KEY: "made up", ...tls });
    const { host: tlsHost } = new URL(encrypted.url);
    const overTls = await examine({ BREAKGLASS_LISTEN: tlsHost, ...tls });
    expect(overTls.of("listen").text).toMatch(new RegExp(`^a server runs on ${tlsHost}`));
    const path = join(files.root, "socket");
    await using onSocket = await startTestServer({
      ...{ ANTHROPIC_API_KEY: "made up", BREAKGLASS_LISTEN: `unix:${path}` },
    });
    expect(onSocket.url).toBe(`unix:${path}`);
    const overSocket = await examine({ BREAKGLASS_LISTEN: `unix:${path}` });
    expect(overSocket.of("listen").text).toMatch(new RegExp(`^a server runs on ${path}`));
    const other = createNetServer((socket) => socket.destroy());
    const port = await listen(other);
    await using _other = closing(other);
    const foreign = await examine({ BREAKGLASS_LISTEN: `127.0.0.1:${port}` });
    expect(foreign.of("listen")).toMatchObject({
      outcome: "failure",
      text: `another program listens on 127.0.0.1:${port}`,
    });
  });

  it("prints a line for each part, and another for what mends it", async () => {
    await using environment = await createTestEnvironment({
      BREAKGLASS_AGENT_COMMAND: "/nowhere/claude",
      ANTHROPIC_BASE_URL: "http://127.0.0.1:1",
    });
    const { status, stdout } = await runCommand(["doctor"], { environment: environment.variables });
    expect(status).toBe(1);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ok +node +Node is /);
    const agent = lines.findIndex((line) => line.startsWith("failed   agent"));
    expect(lines[agent + 1]).toMatch(/^ +so: run it by hand/);
  });
});
