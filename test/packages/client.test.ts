import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { type Consumer, createConsumer, REPOSITORY } from "./packed.ts";

const README = readFileSync(join(REPOSITORY, "clients/typescript/README.md"), "utf8");
/** The programs for Node. */
const SAMPLES = [...README.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);
const OLD_NODE = "node@20.3.0";
const MB = 1024 * 1024;

const cleanup = new AsyncDisposableStack();
const { client } = inject("tarballs");
let server: TestServer;
let consumer: Consumer;
beforeAll(async () => {
  server = cleanup.use(await startTestServer());
  const peers = ["@connectrpc/connect", "@connectrpc/connect-node", "@connectrpc/connect-web"];
  consumer = cleanup.use(await createConsumer(client, ...peers, "@types/node@20"));
});
afterAll(() => cleanup.disposeAsync());

/** A sample as it stands in the README, but for the address and what is asked of the agent. */
function sample(n: number): string {
  return SAMPLES[n]!.replaceAll("http://127.0.0.1:7433", server.url).replace(
    /What is wrong( with the gateway)?\?/,
    "say It is the port.",
  );
}

describe("the package of the client", () => {
  it("has 100 kB at most, and 6 MB with its peers, and neither the agent nor the service", async () => {
    expect(statSync(client).size).toBeLessThan(100_000);
    await using small = await createConsumer(
      client,
      "@connectrpc/connect",
      "@connectrpc/connect-node",
    );
    expect(sizeOf(join(small.root, "node_modules"))).toBeLessThan(6 * MB);
    const { status, output } = await small.run("npm", "ls", "--all", "--parseable");
    expect(status).toBe(0);
    const installed = output.trim().split("\n").slice(1);
    expect(installed.map((path) => path.replace(/.*node_modules\//, "")).sort()).toEqual([
      "@breakglass/client",
      "@bufbuild/protobuf",
      "@connectrpc/connect",
      "@connectrpc/connect-node",
    ]);
  });

  it("is installed on Node 20 by the command of its README, and runs a turn there", async () => {
    await using node = await createConsumer("node@20");
    await using project = await createConsumer();
    // npm takes for Node 20 what says that it runs on it, which the newest of a peer may not.
    const path = `${join(node.root, "node_modules/node/bin")}:${process.env.PATH}`;
    const [, names = ""] = /```sh\nnpm install (.*)\n/.exec(README) ?? [];
    const args = names.replace("@breakglass/client", client).split(" ");
    const installed = await project.run("env", `PATH=${path}`, "npm", "install", ...args);
    expect(installed, installed.output).toMatchObject({ status: 0 });
    expect(installed.output).not.toContain("EBADENGINE");
    await writeFile(join(project.root, "sample.js"), sample(0));
    const ran = await project.run("env", `PATH=${path}`, "node", "sample.js");
    expect(ran, ran.output).toMatchObject({ status: 0 });
    expect(ran.output).toContain("done");
  });

  it("has the proto, and the same compiled for tools", () => {
    const proto = join(consumer.root, "node_modules/@breakglass/client/proto");
    for (const file of ["breakglass/v1/event.proto", "breakglass.binpb"])
      expect(existsSync(join(proto, file)), file).toBe(true);
  });

  it.each(["publint", "attw"])("is found well made by %s", async (tool) => {
    const args = {
      publint: ["run", client, "--strict"],
      attw: [client, "--profile", "esm-only", "--exclude-entrypoints", "./proto/*"],
    }[tool]!;
    const { status, output } = await consumer.run(
      join(REPOSITORY, "node_modules/.bin", tool),
      ...args,
    );
    expect(status, output).toBe(0);
  });

  it("has samples in its README that run on the oldest Node", async () => {
    await using node = await createConsumer(OLD_NODE);
    const printed: string[] = [];
    for (const [n] of SAMPLES.entries()) {
      await writeFile(join(consumer.root, "sample.js"), sample(n));
      const program = join(node.root, "node_modules/node/bin/node");
      const { status, output } = await consumer.run(program, "sample.js");
      expect([status, output]).toEqual([0, expect.any(String)]);
      printed.push(output);
    }
    expect(printed).toEqual([
      "done 0.25\n",
      "It is the port.\n",
      expect.stringContaining("INVALID_ARGUMENT [ { field: 'prompt'"),
    ]);
  });

  it.each([
    ["node16", { module: "node16", moduleResolution: "node16", types: ["node"] }],
    ["bundler", { module: "esnext", moduleResolution: "bundler", lib: ["es2022", "dom"] }],
  ])("has types for a project that resolves modules as %s", async (_, options) => {
    const compilerOptions = { strict: true, noEmit: true, target: "es2022", types: [], ...options };
    const files = { "types.ts": `${USES_OF_TYPES}` };
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(consumer.root, name), text);
    }
    const config = JSON.stringify({ compilerOptions, files: Object.keys(files) });
    await writeFile(join(consumer.root, "tsconfig.json"), config);
    const tsc = join(REPOSITORY, "node_modules/.bin/tsc");
    expect(await consumer.run(tsc, "-p", ".")).toEqual({ status: 0, output: "" });
    // They say something.
    await writeFile(join(consumer.root, "types.ts"), `${USES_OF_TYPES}reason.toFixed();\n`);
    const wrong = await consumer.run(tsc, "-p", ".");
    expect(wrong.output).toContain("'toFixed' does not exist on type");
  });
});

const USES_OF_TYPES = `
import { type BreakglassClient, errorInfoOf, runTurn, streamTurn, TurnState } from "@breakglass/client";
import { openGrpcConnection } from "@breakglass/client/node";
import { isLive } from "@breakglass/client/turn-state";
import { TurnSchema } from "@breakglass/client/gen/breakglass/v1/turn_pb";

declare const client: BreakglassClient;
const outcome = await runTurn(client, { run: { prompt: "" } });
const cost: number = outcome.totalCostUsd;
for await (const { kind } of streamTurn(client, { attach: { turnId: "" } })) {
  if (kind.case === "text") kind.value.text satisfies string;
}
openGrpcConnection("", undefined).drop();
isLive(TurnState.RUNNING) satisfies boolean;
export { cost, TurnSchema };
const reason = errorInfoOf(undefined)!.reason;
if (reason === "DRAINING") reason satisfies string;
`;

/** How many bytes a folder takes. */
function sizeOf(folder: string): number {
  return Number(execFileSync("du", ["-sb", folder], { encoding: "utf8" }).split("\t")[0]);
}
