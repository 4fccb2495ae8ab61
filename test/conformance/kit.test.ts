import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readCases } from "../../src/conformance/case-files.ts";
import { DriverOutput } from "../../src/conformance/driver-output.ts";
import { REFUSAL_REASONS } from "../../src/fake/refusals.ts";
import { pages } from "../docs/pages.ts";
import { eventually } from "../support/processes.ts";
import { NODE_FLAGS, SOURCE_PROGRAM } from "../support/program.ts";
import { runKit } from "./run-kit.ts";

const DRIVER = fileURLToPath(new URL("typescript-driver.ts", import.meta.url));
const cases = readCases();
const textOf = (path: string) => pages().find((page) => page.path === path)!.text;

describe("the kit's cases", () => {
  it("are many, and each says what holds", () => {
    expect(cases.length).toBeGreaterThanOrEqual(150);
    expect(new Set(cases.map(({ holds }) => holds)).size).toBe(cases.length);
  });

  it("have each refusal", () => {
    const names = cases.map(({ name }) => name);
    const missing = REFUSAL_REASONS.filter(
      (reason) => !names.includes(`refusals/${reason.toLowerCase().replaceAll("_", "-")}`),
    );
    expect(missing).toEqual([]);
  });

  it("are of groups that docs/conformance.md tells of", () => {
    const page = textOf("docs/conformance.md");
    const groups = new Set(cases.map(({ name }) => name.split("/")[0]!));
    expect([...groups].filter((group) => !page.includes(`\`${group}\``))).toEqual([]);
  });
});

describe("what a driver prints", () => {
  it("of an outcome may have either kind of names", () => {
    const output = new DriverOutput("run_turn");
    const outcome = {
      succeeded: true,
      usage: { inputTokens: "900" },
      turn: { permissionDenialCount: 1 },
      permission_denials: [{ toolId: "t" }],
      error: null,
    };
    output.take(JSON.stringify({ outcome }));
    expect(output.problems).toEqual([]);
    expect(output.outcome).toMatchObject({
      succeeded: true,
      usage: { input_tokens: "900" },
      turn: { permission_denial_count: 1 },
      permission_denials: [{ tool_id: "t" }],
      error: null,
    });
  });
});

describe("breakglass conformance", () => {
  it("tells that a sound client's cases hold, over each protocol", async () => {
    const only = ["starts/own-place-counts", "cuts/behind-each-event", "outcomes/succeeded"];
    const { status, results, stderr } = await runKit(
      only.flatMap((name) => ["--only", name]),
      [process.execPath, ...NODE_FLAGS, DRIVER],
    );
    expect({ stderr, problems: results.flatMap(({ problems }) => problems) }).toEqual({
      stderr: "",
      problems: [],
    });
    expect(results.map(({ name, protocol }) => `${name} ${protocol}`).toSorted()).toEqual(
      only
        .flatMap((name) => ["connect", "grpc", "grpc-web"].map((protocol) => `${name} ${protocol}`))
        .toSorted(),
    );
    expect(status).toBe(0);
  }, 120_000);

  it.each([
    [["cat"], "printed no end"],
    [["sh", "-c", "echo no JSON"], "what is no JSON: no JSON"],
    [["sh", "-c", 'echo \'{"end":{"kind":"ok"}}\'; exit 3'], "ended with 3"],
    [["sh", "-c", "echo broken >&2; exit 1"], "it said: broken"],
    [["sh", "-c", 'echo \'{"unsupported":"stream_turn"}\''], "does not do stream_turn"],
  ])("says what is wrong with a driver that does not drive: %j", async (command, said) => {
    const options = ["--only", "starts/own-place-counts", "--protocol", "grpc,grpc"];
    const { status, results } = await runKit(options, command);
    expect(status).toBe(1);
    expect(results).toHaveLength(1);
    expect(results[0]?.problems.join("\n")).toContain(said);
  });

  it("leaves nothing behind where a time limit ends it", async () => {
    const directory = await mkdtemp(join(tmpdir(), "breakglass-kit-test-"));
    const options = ["--only", "restarts/read-from-three-servers", "--protocol", "grpc"];
    const args = [SOURCE_PROGRAM, "conformance", ...options, "--", "sleep", "50"];
    const kit = spawn(process.execPath, [...NODE_FLAGS, ...args], {
      env: { PATH: process.env.PATH, TMPDIR: directory },
      stdio: "ignore",
    });
    const left = () => readdirSync(directory).filter((name) => name.startsWith("breakglass-"));
    expect(await eventually(left, (names) => names.length > 0)).not.toEqual([]);
    kit.kill("SIGTERM");
    expect(await once(kit, "close")).toEqual([130, null]);
    expect(left()).toEqual([]);
    await rm(directory, { recursive: true });
  });

  it.each([
    [["--only", "nothing-like-it"], ["cat"], "no case is called nothing-like-it"],
    [["--only", "starts", "--skip", "starts"], ["cat"], "--skip leaves no case to run"],
    [["--only", "starts"], ["/nowhere/driver"], "cannot be started: /nowhere/driver (ENOENT)"],
    [["--protocol", "smtp"], ["cat"], "grpc, grpc-web, connect"],
    [["--only", "starts"], [], "it takes the client's command"],
  ])("refuses %j -- %j", async (options, command, said) => {
    const { status, results, stderr } = await runKit(options, command);
    expect({ status, results }).toEqual({ status: 2, results: [] });
    expect(stderr).toContain(said);
  });
});
