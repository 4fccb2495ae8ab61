import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readCases } from "../../src/conformance/case-files.ts";
import { canBeCut, isForReplicas } from "../../src/conformance/replica-servers.ts";
import { findPostgres } from "../../src/replicas/local-postgres.ts";
import { NODE_FLAGS } from "../support/program.ts";
import { runKit } from "./run-kit.ts";

const isMissing = await findPostgres().then(
  () => false,
  () => true,
);
const lack = isMissing ? " (left out: no PostgreSQL here; apt-get install postgresql)" : "";
const driver = (name: string, ...args: string[]) => [
  ...[process.execPath, ...NODE_FLAGS, fileURLToPath(new URL(name, import.meta.url))],
  ...args,
];
/** With one that is killed, one that others' cuts are added to, and one that has the balancer alone. */
const ONLY = ["restarts/killed", "cuts/while-the-agent-works", "attaching/ended"];

describe("cases with several servers", () => {
  const cases = readCases();

  it("are those with a server, but for one that counts its refusals", () => {
    const left = cases.filter((one) => one.script !== undefined && !isForReplicas(one));
    expect(left.map(({ name }) => name)).toEqual(["restarts/draining-at-the-start"]);
    expect(cases.some((one) => one.script === undefined && isForReplicas(one))).toBe(false);
  });

  it("are cut at random in each group where no calls are counted", () => {
    const cut = cases.filter((one) => isForReplicas(one) && canBeCut(one));
    const groups = new Set(cut.map(({ name }) => name.split("/")[0]!));
    expect([...groups]).toEqual(
      expect.arrayContaining(["approvals", "attaching", "cuts", "overviews", "plain", "restarts"]),
    );
    expect(cut.filter(({ calls, expect }) => calls ?? expect.calls)).toEqual([]);
  });
});

describe.skipIf(isMissing)(`conformance --replicas${lack}`, () => {
  const options = [
    "--replicas",
    "3",
    "--protocol",
    "grpc",
    ...ONLY.flatMap((name) => ["--only", name]),
  ];

  it("tells that a sound client's cases hold", async () => {
    const { status, results, stderr } = await runKit(options, driver("typescript-driver.ts"));
    const problems = results.flatMap((result) => result.problems);
    expect({ status, stderr, problems }).toEqual({ status: 0, stderr: "", problems: [] });
    expect(results.map(({ name }) => name).toSorted()).toEqual(ONLY.toSorted());
  }, 300_000);

  it("finds a client that gives up where its server is lost", async () => {
    const command = driver("broken-driver.ts", "gives-up-at-the-first-cut");
    const { status, results } = await runKit(options, command);
    expect(status).toBe(1);
    const failed = results.filter(({ passed }) => !passed).map(({ name }) => name);
    expect(failed).toContain("restarts/killed");
  }, 300_000);
});
