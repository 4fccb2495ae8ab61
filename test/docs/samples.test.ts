import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NODE_FLAGS } from "../support/program.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { pages, REPOSITORY, type Sample, samples } from "./pages.ts";

/** The server that samples call. */
const ADDRESS = "http://127.0.0.1:7433";
/** Whether the machine has one that is new enough for what the documentation writes. */
const hasCurl = spawnSync("curl", ["--json", "{}", "--version"]).status === 0;
const why = hasCurl ? "" : " (there is no curl here that knows --json, which 7.82 brought)";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const all = pages();
const programs = all.flatMap((page) => samples(page, "ts"));
const scripts = all.flatMap((page) => samples(page, "sh"));

async function run(command: string, args: readonly string[], environment: SpawnOptions["env"]) {
  const child = spawn(command, args, {
    cwd: REPOSITORY,
    env: { PATH: process.env.PATH, HOME: server.root, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, "close"),
  ]);
  return { stdout, stderr, status: status as number | null };
}

/** The token that the server takes. */
function localToken(): string {
  return readFileSync(join(server.root, "data", "local-token"), "utf8").trim();
}

/** The sample as it is, but for what stands for something else in it. */
function filledIn({ code }: Sample): string {
  const agentsAnswer = code.replaceAll('"What is wrong with the gateway?"', '"say Its port."');
  return agentsAnswer.replaceAll(ADDRESS, server.url);
}

describe("a program in the documentation", () => {
  it("is there", () => expect(programs.length).toBeGreaterThanOrEqual(5));

  // One after the other: a turn of the first is what a later one watches.
  it.each(programs)("runs as it is written: $place", async (sample) => {
    const args = [...NODE_FLAGS, "--input-type=module-typescript", "--eval", filledIn(sample)];
    const { status, stdout, stderr } = await run(process.execPath, args, {});
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).not.toBe("");
  });
});

describe("a command line in the documentation", () => {
  const calls = scripts.filter(({ code }) => /^breakglass |\| breakglass /m.test(code));

  it("is there", () => expect(calls.length).toBeGreaterThanOrEqual(5));

  it.each(calls)("is one that the command takes: $place", async (sample) => {
    // A mistake in a command is status 2; that there is no such turn is not.
    const shell = `main=$PWD/src/main.ts; cd "$ROOT"
      # Some follow until they are interrupted.
      breakglass() { timeout -s INT 10 "$NODE" --conditions=breakglass-source "$main" "$@"; [ $? -ne 2 ] || echo "mistaken: $*"; }
      journalctl() { echo "say The end of a log."; }
      ${sample.code.replace(" --head heads", "").replaceAll(/\b(?:TURN|APPROVAL|SESSION)\b/g, () => randomUUID())}`;
    const variables = {
      NODE: process.execPath,
      ROOT: server.root,
      BREAKGLASS_URL: server.url,
      BREAKGLASS_DATA_DIR: join(server.root, "data"),
      BREAKGLASS_TOKENS_FILE: join(server.root, "tokens-of-samples"),
    };
    const { stdout } = await run("bash", ["-c", shell], variables);
    expect(stdout).not.toContain("mistaken: ");
  });
});

describe.skipIf(!hasCurl)(`a call by curl in the documentation${why}`, () => {
  const calls = scripts.filter(({ code }) => code.startsWith("curl "));

  it("is there", () => expect(calls.length).toBeGreaterThanOrEqual(3));

  it.each(calls)("is one that the server takes: $place", async (sample) => {
    const shell = `curl() { command curl -sS -w '\\n' "$@"; }
      ${filledIn(sample).replaceAll(/\b(?:TURN|APPROVAL|SESSION)\b/g, () => randomUUID())}`;
    const { status, stdout, stderr } = await run("bash", ["-c", shell], { TOKEN: localToken() });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const answer of stdout.split("\n").filter((line) => line !== "")) {
      // A refusal has a code over RPC, and a status over plain HTTP.
      const { code = "none", status = "none" } = JSON.parse(answer);
      expect(["none", "not_found"]).toContain(code);
      expect(["none", 404]).toContain(status);
    }
  });
});
