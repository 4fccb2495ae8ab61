#!/usr/bin/env node
// The command where the package is installed. In a clone it is `breakglass` beside this folder.
import { fileURLToPath } from "node:url";
import { complaint } from "./check-node.js";

if (complaint !== undefined) {
  console.error(complaint);
  process.exitCode = 2;
} else {
  const program = fileURLToPath(new URL("../dist/src/main.js", import.meta.url));
  const flags = ["--max-semi-space-size=8", "--disable-sigusr1"];
  const { execPath, env, argv } = process;
  // It takes this process's place: signals and the exit status are its own. What its threads free goes back to the system.
  process.execve(execPath, [execPath, ...flags, program, ...argv.slice(2)], {
    ...env,
    MALLOC_ARENA_MAX: "1",
  });
}
