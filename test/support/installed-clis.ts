import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** A version of the CLI that is installed for the tests. */
export interface InstalledCli {
  readonly version: string;
  /** Its program. */
  readonly command: string;
}

/** The packages that have them, the one that the service brings last. */
const PACKAGES = ["claude-code-197", "@anthropic-ai/claude-code"];

/** Each installed version, oldest first; what they are called is told by their packages alone. */
export const INSTALLED_CLIS: readonly InstalledCli[] = PACKAGES.map((name) => {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  return { version, command: join(dirname(manifest), "bin", "claude.exe") };
});

/** The one that the service brings. */
export const OWN_CLI: InstalledCli = INSTALLED_CLIS.at(-1)!;
