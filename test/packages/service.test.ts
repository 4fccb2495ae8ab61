import { existsSync, readFileSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Consumer, createConsumer, REPOSITORY } from "./packed.ts";

/** The real CLI is 391 MB of an optional package. */
const WITHOUT_CLI = ["--omit=optional", "--ignore-scripts"];
const PEERS = ["@connectrpc/connect", "@connectrpc/connect-node"];
const CLIENT_README = readFileSync(join(REPOSITORY, "clients/typescript/README.md"), "utf8");
const isClone = existsSync(join(REPOSITORY, ".git"));
const unlessClone = isClone ? "" : " (left out: this is no clone)";
const OLD_NODE = "node@22";

const cleanup = new AsyncDisposableStack();
const { client, service } = inject("tarballs");
let consumer: Consumer;
let old: string;
beforeAll(async () => {
  consumer = cleanup.use(await createConsumer(service, ...WITHOUT_CLI));
  const node = cleanup.use(await createConsumer(OLD_NODE));
  old = join(node.root, "node_modules/node/bin/node");
});
afterAll(() => cleanup.disposeAsync());

describe("the package of the service", () => {
  it("has the client in it, and not what only a drill needs", async () => {
    // The console, each of its files in three encodings, is some 600 kB of it.
    expect(statSync(service).size).toBeLessThan(2_500_000);
    const { output } = await consumer.run("npm", "ls", "--all", "--parseable");
    const installed = output.split("\n").map((path) => path.replace(/.*\/node_modules\//, ""));
    expect(installed).toContain("@breakglass/client");
    expect(installed).not.toContain("@copilotkit/aimock");
    const own = join(consumer.root, "node_modules/breakglass/proto");
    for (const file of ["breakglass/v1/event.proto", "breakglass.binpb"])
      expect(existsSync(join(own, file)), file).toBe(true);
  });

  it("has the console, built, and none of its libraries", async () => {
    const own = join(consumer.root, "node_modules/breakglass");
    for (const file of ["index.html", "icon.svg"])
      expect(existsSync(join(own, "console/dist", file)), file).toBe(true);
    expect(existsSync(join(own, "console/src"))).toBe(false);
    const { output } = await consumer.run("npm", "ls", "--all", "--parseable");
    const { devDependencies } = JSON.parse(
      readFileSync(join(REPOSITORY, "console/package.json"), "utf8"),
    ) as { devDependencies: Record<string, string> };
    const shared = ["@breakglass/client", "@connectrpc/connect"];
    const page = Object.keys(devDependencies).filter((name) => !shared.includes(name));
    for (const name of page) expect(output).not.toMatch(new RegExp(`node_modules/${name}$`, "m"));
  });

  it("runs the command", async () => {
    const program = "node_modules/.bin/breakglass";
    const { version } = await import(join(REPOSITORY, "package.json"));
    const ran = await consumer.run(process.execPath, program, "--version");
    expect(ran).toEqual({ status: 0, output: `${version}\n` });
    const drill = await consumer.run(process.execPath, program, "drill");
    expect(drill.status).toBe(2);
    expect(drill.output).toContain("npm install @copilotkit/aimock");
  });

  it.each([
    ["it is installed", "node_modules/breakglass/bin/check-node.js", 1],
    ["it is started", "node_modules/breakglass/bin/breakglass.js", 2],
  ])("says that Node is too old when %s", async (_, program, status) => {
    const ran = await consumer.run(old, join(consumer.root, program));
    expect(ran.status).toBe(status);
    expect(ran.output).toMatch(/^breakglass: it takes Node >=26\.1, and this is 22\.\S+ \(.*\)\n$/);
    expect((await consumer.run(process.execPath, program)).output).not.toContain("it takes Node");
  });

  it("is the fake of the client's tests, as its README says", async () => {
    const [, sample] = /## For tests.*?```js\n(.*?)```/s.exec(CLIENT_README)!;
    await using both = await createConsumer(service, client, ...PEERS, ...WITHOUT_CLI);
    await writeFile(join(both.root, "sample.js"), sample!);
    const ran = await both.run(process.execPath, "sample.js");
    expect(ran).toEqual({ status: 0, output: "It is the port.\n" });
    await both.run("npm", "uninstall", "breakglass");
    const without = await both.run(process.execPath, "sample.js");
    expect(without.output).toContain("npm install --save-dev breakglass");
  });

  it.skipIf(!isClone)(`is installed from the repository${unlessClone}`, async () => {
    await using from = await createConsumer(`git+file://${REPOSITORY}`, "--omit=optional");
    const program = "node_modules/.bin/breakglass";
    const { status, output } = await from.run(process.execPath, program, "--help");
    expect([status, output]).toEqual([0, expect.stringContaining("Usage: breakglass")]);
  });
});
