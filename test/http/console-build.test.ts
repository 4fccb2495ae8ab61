import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { ask } from "./support.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = ["breakglass", "package.json", "scripts", "src", "gen", "clients/typescript"];
const BUILT_WITHIN_MS = 50_000;

/** A clone without a built console, and what it serves. */
async function serveClone(change: (clone: string) => Promise<void> = async () => {}) {
  await using cleanup = new AsyncDisposableStack();
  const clone = await mkdtemp(join(tmpdir(), "breakglass-clone-"));
  cleanup.defer(() => rm(clone, { recursive: true, maxRetries: 3 }));
  for (const name of [...COPIED, "console", "tsconfig.json"]) {
    const filter = (path: string) => !/\/(?:dist|node_modules)(?:\/|$)/.test(path);
    await cp(join(REPOSITORY, name), join(clone, name), { recursive: true, filter });
  }
  await symlink(join(REPOSITORY, "node_modules"), join(clone, "node_modules"));
  await change(clone);
  const { variables } = cleanup.use(await createTestEnvironment());
  const child = spawn(join(clone, "breakglass"), ["serve"], { cwd: "/", env: variables });
  const exited = once(child, "exit");
  cleanup.defer(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece) => (output += piece));
  const says = (what: RegExp, withinMs = BUILT_WITHIN_MS) =>
    eventually(
      () => what.exec(output),
      (found) => found !== null,
      withinMs,
    );
  const url = (await says(/breakglass serves (http\S+)/))?.[1] ?? "";
  const owned = cleanup.move();
  return {
    clone,
    url,
    says,
    output: () => output,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

describe("a server of a clone whose console is not built", () => {
  it("says that it is built, serves meanwhile, and has it then", async () => {
    await using served = await serveClone();
    expect(served.output()).toContain("the console is not built yet: it is being built");
    expect(await served.says(/the console is built/), served.output()).not.toBeNull();
    const page = await eventually(
      () => ask(served.url),
      ({ status }) => status === 200,
    );
    expect(page.headers["content-type"]).toContain("text/html");
    expect((await readdir(join(served.clone, "console/dist"))).sort()).toContain("index.html");
  });

  it("says in words that it cannot be built, and serves all the same", async () => {
    await using served = await serveClone((clone) =>
      writeFile(join(clone, "console/src/main.ts"), "this is no program"),
    );
    const told = await served.says(/the console could not be built.*/);
    expect(told?.[0], served.output()).toContain("npm run build -w console");
    const { status, headers, body } = await ask(served.url);
    expect([status, headers["content-type"]]).toEqual([503, "application/problem+json"]);
    expect(JSON.parse(body).detail).toContain("npm run build -w console");
    expect((await ask(`${served.url}/healthz`)).status).toBe(200);
  });
});
