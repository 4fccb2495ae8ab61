/**
 * `npm run conformance:edge [-- ARGUMENT…]`: holds listener, reader and writers against the conformance suite of the protocols
 * (`connectconformance`), once with streams through the framework, and once with those of a server past it, as turns are
 * written. Arguments are the suite's own, such as `--run PATTERN` or `--trace`. Exits 1 where a case fails: none is excused.
 *
 * The suite and its protos come from one Go module, pinned with its sums by `go.mod` beside this file.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { COMPILE_CACHE } from "../support/compile-cache.ts";

const HERE = import.meta.dirname;
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const MODULE = "connectrpc.com/conformance";
/** Few servers and calls at once: what waits for a processor for half a second is a deadline that the suite finds wrong. */
const PACE = ["--max-servers", "2", "--parallel", "4"];

const WAYS = [
  { what: "streams through the framework", config: "config.yaml", options: [] },
  {
    what: "streams of a server past the framework",
    config: "past-framework.yaml",
    options: ["--past-framework"],
  },
];

const suite = outputOf("go", ["-C", HERE, "tool", "-n", "connectconformance"]);
const protos = outputOf("go", ["-C", HERE, "list", "-m", "-f", "{{.Dir}}", MODULE]);
run("buf", ["generate", protos, "--template", `${HERE}/buf.gen.yaml`, "-o", HERE]);
run("tsc", ["-p", HERE]);
const failed = WAYS.filter(({ what, config, options }) => {
  process.stdout.write(`\n${what}:\n`);
  const arguments_ = ["--mode", "server", "--conf", `${HERE}/${config}`];
  const servers = [...PACE, ...process.argv.slice(2)];
  const server = [process.execPath, `${HERE}/server.ts`, ...options];
  return statusOf(suite, [...arguments_, ...servers, "--", ...server]) !== 0;
});
process.exit(failed.length === 0 ? 0 : 1);

function outputOf(command: string, arguments_: readonly string[]): string {
  return execFileSync(command, arguments_, { encoding: "utf8" }).trim();
}

function run(command: string, arguments_: readonly string[]): void {
  if (statusOf(command, arguments_) !== 0) process.exit(1);
}

function statusOf(command: string, arguments_: readonly string[]): number | null {
  const env = { ...process.env, ...COMPILE_CACHE };
  return spawnSync(command, arguments_, { cwd: REPOSITORY, env, stdio: "inherit" }).status;
}
