// Builds the package: `dist` of what lies in `src` and in the repository's `gen`, and `proto` beside it.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("..", import.meta.url));
const inPackage = { cwd: here, stdio: "inherit" };

for (const made of ["dist", "proto"]) rmSync(`${here}${made}`, { recursive: true, force: true });
execFileSync("tsc", ["-p", "."], inPackage);
cpSync(`${here}../../proto/breakglass`, `${here}proto/breakglass`, { recursive: true });
// The same compiled, with all that it imports, for tools that take a descriptor set; its comments lie beside it.
const descriptors = ["--as-file-descriptor-set", "--exclude-source-info", "-o"];
execFileSync("buf", ["build", ...descriptors, `${here}proto/breakglass.binpb`], {
  cwd: `${here}../..`,
  stdio: "inherit",
});
