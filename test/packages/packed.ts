import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";

export const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
/** Packing builds, and installing may have to fetch. */
const LONGEST_MS = 240_000;
const run = promisify(execFile);
/** Git lets a repository be cloned, whoever its files belong to. */
const GIT_OF_OTHERS = {
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "safe.directory",
  GIT_CONFIG_VALUE_0: "*",
};

declare module "vitest" {
  interface ProvidedContext {
    /** The tarballs of the packages, as they would be published. */
    readonly tarballs: Tarballs;
  }
}

/** Where the packed packages are. */
export interface Tarballs {
  readonly client: string;
  readonly service: string;
}

/** For Vitest's `globalSetup`: packs the packages once for all tests. */
export default async function pack(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-packed-"));
  const client = await packed(join(REPOSITORY, "clients/typescript"), folder);
  const service = await packed(REPOSITORY, folder);
  project.provide("tarballs", { client, service });
  return () => rm(folder, { recursive: true });
}

/** Packs the package in a folder as its users would get it. */
async function packed(path: string, folder: string): Promise<string> {
  const args = ["pack", "--json", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: path, timeout: LONGEST_MS, maxBuffer: 1e8 });
  // What a script of the package prints stands before it.
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("\n[") + 1)) as [
    { filename: string },
  ];
  return join(folder, filename);
}

/** A project of somebody who uses the packages, outside the repository. */
export interface Consumer extends AsyncDisposable {
  readonly root: string;
  /** Runs a program in it to its end. Never rejects for what the program says. */
  run(command: string, ...args: string[]): Promise<Ran>;
}

/** How a program ended, and what it printed on both streams. */
export interface Ran {
  readonly status: number;
  readonly output: string;
}

/** Makes a project, and installs what it depends on: names with versions, and paths of tarballs. */
export async function createConsumer(...dependencies: string[]): Promise<Consumer> {
  const root = await mkdtemp(join(tmpdir(), "breakglass-consumer-"));
  await mkdir(root, { recursive: true });
  const consumer: Consumer = {
    root,
    run: async (command, ...args) => {
      const env = { ...process.env, ...GIT_OF_OTHERS, NODE_OPTIONS: "", ANTHROPIC_API_KEY: "" };
      const options = { cwd: root, env, timeout: LONGEST_MS, maxBuffer: 1e8 };
      const ended = run(command, args, options).then(
        ({ stdout, stderr }) => ({ status: 0, stdout, stderr }),
        ({ code, stdout, stderr }) => ({ status: Number(code ?? -1), stdout, stderr }),
      );
      const { status, stdout, stderr } = await ended;
      return { status, output: `${stdout}${stderr}` };
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
  const init = await consumer.run("npm", "init", "-y");
  if (init.status !== 0) throw new Error(init.output);
  await consumer.run("npm", "pkg", "set", "type=module");
  if (dependencies.length > 0) {
    const args = ["install", "--no-audit", "--no-fund", "--prefer-offline", ...dependencies];
    const { status, output } = await consumer.run("npm", ...args);
    if (status !== 0) throw new Error(`npm install ${dependencies.join(" ")}: ${output}`);
  }
  return consumer;
}
