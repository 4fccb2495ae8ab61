import { execFile, type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { REPOSITORY } from "../docs/pages.ts";
import { eventually, processesWith } from "../support/processes.ts";

const missing = ["buildah", "mmdebstrap"].filter(
  (program) => spawnSync(program, ["--version"]).error !== undefined,
);
/** It takes namespaces and mounts, which not every sandbox gives. */
const isForbidden = spawnSync("unshare", ["--mount", "true"]).status !== 0;
const lack = isForbidden
  ? " (left out: no mounts may be made here)"
  : missing.length === 0
    ? ""
    : ` (left out: no ${missing.join(" and no ")} here)`;
const TAG = "breakglass-under-test";

interface Inspected {
  readonly Docker: {
    readonly config: {
      readonly User: string;
      readonly Entrypoint: readonly string[];
      readonly Cmd: readonly string[];
      readonly Env: readonly string[];
      readonly Healthcheck: { readonly Test: readonly string[] };
      readonly StopSignal: string;
    };
  };
}

/** Where buildah keeps what this test builds: neither the machine's images nor its configuration are touched. */
async function ownStorage(root: string): Promise<NodeJS.ProcessEnv> {
  const storage = join(root, "storage.conf");
  const [graph, run] = [join(root, "graph"), join(root, "run")];
  await mkdir(graph);
  const text = `[storage]\ndriver = "vfs"\ngraphroot = "${graph}"\nrunroot = "${run}"\n`;
  await writeFile(storage, text);
  return {
    // npm's own settings are among it.
    ...process.env,
    NODE_OPTIONS: "",
    ANTHROPIC_API_KEY: "",
    TMPDIR: root,
    CONTAINERS_STORAGE_CONF: storage,
    STORAGE_DRIVER: "vfs",
    // Where there is neither runc nor a network of its own.
    BUILDAH_ISOLATION: "chroot",
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

it.skipIf(missing.length > 0 || isForbidden)(
  `the container is built, runs as its own user on its own Node, and its health check tells${lack}`,
  async () => {
    const root = await mkdtemp(join(tmpdir(), "breakglass-container-"));
    const env = await ownStorage(root);
    const buildah = async (...args: string[]) => {
      const { stdout } = await promisify(execFile)("buildah", args, { env, maxBuffer: 64e6 });
      return stdout.trim();
    };
    try {
      const build = join(REPOSITORY, "deploy/container/build");
      await promisify(execFile)(build, [TAG], { env, maxBuffer: 64e6 });
      const { config } = (JSON.parse(await buildah("inspect", "--type", "image", TAG)) as Inspected)
        .Docker;
      expect(config).toMatchObject({ User: "10001:10001", StopSignal: "SIGTERM", Cmd: ["serve"] });
      expect(config.Healthcheck.Test[0]).toBe("CMD");

      const container = await buildah("from", TAG);
      const port = await freePort();
      const settings = [`BREAKGLASS_LISTEN=127.0.0.1:${port}`, "ANTHROPIC_API_KEY=made up"];
      const run = settings.flatMap((one) => ["--env", one]);
      const inside = (...command: string[]): SpawnSyncReturns<string> =>
        spawnSync("buildah", ["run", ...run, container, "--", ...command], {
          env,
          encoding: "utf8",
        });
      const { devDependencies } = JSON.parse(
        await promisify(execFile)("npm", ["pkg", "get", "devDependencies"], {
          cwd: REPOSITORY,
        }).then(({ stdout }) => `{"devDependencies":${stdout}}`),
      ) as { devDependencies: { node: string } };
      const pinned = devDependencies.node.replace("^", "").split(".")[0];
      expect(inside("node", "--version").stdout.trim()).toMatch(new RegExp(`^v${pinned}\\.`));
      expect(inside("id", "-u").stdout.trim()).toBe("10001");
      expect(inside(...config.Healthcheck.Test.slice(1)).status).toBe(1);

      const args = ["run", ...run, container, "--", ...config.Entrypoint, ...config.Cmd];
      const serving = spawn("buildah", args, { env, stdio: "ignore" });
      const ended = new Promise((resolve) => serving.once("exit", resolve));
      const ready = await eventually(
        async () => {
          const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
          return response?.json() as Promise<{ ready: boolean }> | undefined;
        },
        (answer) => answer?.ready === true,
        60_000,
      );
      expect(ready).toMatchObject({ ready: true });
      const page = await fetch(`http://127.0.0.1:${port}/`);
      expect(page.headers.get("content-type")).toContain("text/html");
      expect(inside(...config.Healthcheck.Test.slice(1)).status).toBe(0);
      // What runs it passes no signal on.
      const servers = () => processesWith("BREAKGLASS_LISTEN", `127.0.0.1:${port}`);
      for (const pid of servers()) process.kill(pid, "SIGTERM");
      await ended;
      expect(servers()).toEqual([]);
    } finally {
      await buildah("rm", "--all").catch(() => {});
      await buildah("rmi", "--all", "--force").catch(() => {});
      await rm(root, { recursive: true, force: true });
    }
  },
  900_000,
);
