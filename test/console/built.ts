import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** For Vitest's `globalSetup`: builds the page as it stands. */
export default function build(): void {
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  // As it is shipped: Vitest's own would be another build.
  const env = { ...process.env, NODE_ENV: "production" };
  const options = { cwd, env, stdio: "pipe", timeout: 120_000 } as const;
  execFileSync("npm", ["run", "build", "-w", "console"], options);
}
