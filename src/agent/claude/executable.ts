import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The CLI's executable: what the operator set, else `claude` on PATH, else the one that was installed with the package.
 *
 * Not checked: a CLI that is missing is told of by the turn that needs it, and can be installed without a restart.
 */
export function resolveCommand(configured: string | undefined, environment: Environment): string {
  if (configured !== undefined) return configured;
  const folders = (environment.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, "claude")).find(isExecutable) ?? installedCommand();
}

function installedCommand(): string {
  const require = createRequire(import.meta.url);
  const manifestPath = require.resolve("@anthropic-ai/claude-code/package.json");
  const manifest = require(manifestPath) as { bin: Record<string, string> };
  return join(dirname(manifestPath), manifest.bin.claude ?? "claude");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
