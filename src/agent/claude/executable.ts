import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Environment } from "../../config/environment.ts";
import { findOnPath } from "../executable.ts";

/**
 * The CLI's executable: what the operator set, else `claude` on PATH, else the one that was installed with the package.
 *
 * @param configured - An absolute path, or a name.
 * @returns an absolute path; or the name that was configured, for each start of a process to look up.
 *
 * Not checked: a CLI that is missing is told of by the turn that needs it, and can be installed without a restart.
 */
export function resolveCommand(configured: string | undefined, environment: Environment): string {
  return configured ?? findOnPath("claude", environment) ?? installedCommand();
}

function installedCommand(): string {
  const require = createRequire(import.meta.url);
  const manifestPath = require.resolve("@anthropic-ai/claude-code/package.json");
  const manifest = require(manifestPath) as { bin: Record<string, string> };
  return join(dirname(manifestPath), manifest.bin.claude ?? "claude");
}
