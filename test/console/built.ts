import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** For Vitest's `globalSetup`: builds the page as it stands. */
export default function build(): void {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  execFileSync("npm", ["run", "build", "-w", "console"], { cwd, stdio: "pipe", timeout: 120_000 });
}
