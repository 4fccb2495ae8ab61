/**
 * Runs commands of the command line one after the other in one process, and prints in JSON how each ended. To start a process
 * takes ten times as long as what most of them do.
 *
 * Its argument is a list of the commands' arguments, in JSON.
 */
import { pathToFileURL } from "node:url";
import { PROGRAM } from "../support/program.ts";
import type { Ended } from "./run-command.ts";

const PROGRAM_URL = pathToFileURL(PROGRAM);

const commands = JSON.parse(process.argv[2] ?? "[]") as string[][];
const print = process.stdout.write.bind(process.stdout);
const exit = process.exit.bind(process);
const ended: Ended[] = [];
for (const [index, args] of commands.entries()) ended.push(await run(args, index));
print(JSON.stringify(ended), () => exit());

async function run(args: readonly string[], index: number): Promise<Ended> {
  const printed = { stdout: "", stderr: "" };
  let status: number | null = null;
  process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
  for (const name of ["stdout", "stderr"] as const) {
    process[name].write = (piece: string | Uint8Array) => {
      printed[name] += Buffer.from(piece as string).toString();
      return true;
    };
  }
  process.exit = ((code: number) => {
    status = code;
  }) as never;
  // The program is run again for each query; what it imports is there already.
  await import(`${PROGRAM_URL.href}?${index}`);
  return { status, ...printed };
}
