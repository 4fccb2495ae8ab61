// Builds the package: `dist` of what lies in `src` and in the repository's `gen`, and `proto` beside it.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
const inPackage = { cwd: here, stdio: "inherit" };

for (const made of ["dist", "proto"]) rmSync(`${here}${made}`, { recursive: true, force: true });
execFileSync("tsc", ["-p", "."], inPackage);
cpSync(`${here}../../proto/breakglass`, `${here}proto/breakglass`, { recursive: true });
