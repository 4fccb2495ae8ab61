import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { SOURCE_CONDITION } from "./program.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const BUNDLES = join(REPOSITORY, "node_modules/.cache/test-program");
/** A bundle that no run has used for so long is removed. */
const OLD_MS = 60 * 60 * 1000;
/** `main.ts`, each file of a thread, which is looked for beside what starts it, and the fake's agent, which is below that. */
const ENTRIES = [
  ...["src/main.ts", ...globSync("src/**/*worker.ts", { cwd: REPOSITORY })].map((path) => ({
    in: path,
    out: basename(path, ".ts"),
  })),
  { in: "src/fake/agent/fake-agent.ts", out: "agent/fake-agent" },
];
/** What CommonJS modules of libraries ask for. */
const BANNER =
  'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);';

/**
 * For Vitest's `globalSetup`: makes one program of the service's two hundred files and its libraries, for the tests that
 * start it in a process of its own. To strip types and to find modules is half of what such a start costs. Made again
 * only where a file has changed; `BUNDLED_PROGRAM` names it. Where Vitest watches, the source is run.
 */
export default async function bundleProgram({ vitest }: TestProject): Promise<void> {
  // It would not be made again between two runs.
  if (vitest.config.watch) return;
  const bundle = join(BUNDLES, digest());
  if (!existsSync(bundle)) await make(bundle);
  await utimes(bundle, new Date(), new Date());
  process.env.BUNDLED_PROGRAM = join(bundle, "main.js");
}

/** Of all that the bundle is made of. */
function digest(): string {
  const hash = createHash("sha256");
  const paths = globSync("{src,gen,clients/typescript/src}/**/*.ts", { cwd: REPOSITORY }).sort();
  for (const path of [...paths, "package.json", "package-lock.json", import.meta.filename]) {
    hash.update(path).update(readFileSync(join(path.startsWith("/") ? "" : REPOSITORY, path)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function make(bundle: string): Promise<void> {
  const { build } = await import("esbuild");
  await mkdir(BUNDLES, { recursive: true });
  await removeOld();
  // Not of `mkdtemp`: some tests run it as another user.
  const outdir = join(BUNDLES, `new-${process.pid}`);
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ENTRIES,
    outdir,
    bundle: true,
    // A command loads no more than it does from the source.
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    conditions: [SOURCE_CONDITION],
    banner: { js: BANNER },
    logLevel: "warning",
  });
  // Also the version that the program tells.
  await copyFile(join(REPOSITORY, "package.json"), join(outdir, "package.json"));
  // Another run may have made the same meanwhile.
  await rename(outdir, bundle).catch(() => rm(outdir, { recursive: true }));
}

async function removeOld(): Promise<void> {
  for (const name of await readdir(BUNDLES)) {
    const path = join(BUNDLES, name);
    if (Date.now() - (await stat(path)).mtimeMs > OLD_MS)
      await rm(path, { recursive: true, force: true });
  }
}
