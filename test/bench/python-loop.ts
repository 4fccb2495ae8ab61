import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Program, repository, startProgram } from "./program.ts";

const run = promisify(execFile);
const DIRECTORY = join(repository, "test/bench/python-loop");
const REQUIREMENTS = join(DIRECTORY, "requirements.txt");
const ENVIRONMENT = join(DIRECTORY, ".venv");
const INSTALLED_WITHIN_MS = 120_000;

/**
 * Starts the loop in Python that the service took the place of, in an environment of its own beside it, which is made where
 * it is missing. Its first line is its URL.
 *
 * @param agent - What it runs for each turn.
 * @param silenceSeconds - How long it waits for each line. Undefined: for ever.
 * @returns Undefined where there is no python3 of 3.11 or newer.
 */
export async function startPythonLoop(
  agent: string,
  silenceSeconds?: number,
): Promise<Program | undefined> {
  const version = await run("python3", ["-VV"]).then(
    ({ stdout }) => stdout.trim(),
    () => "",
  );
  const [, minor = "0"] = /^Python 3\.(\d+)/.exec(version) ?? [];
  if (Number(minor) < 11) return undefined;
  await makeEnvironment(version);
  const silence = silenceSeconds === undefined ? [] : [String(silenceSeconds)];
  return await startProgram([join(DIRECTORY, "loop.py"), agent, ...silence], {}, python());
}

async function makeEnvironment(version: string): Promise<void> {
  const stamp = join(ENVIRONMENT, "made-from");
  const wanted = createHash("sha256")
    .update(`${version}\n`)
    .update(await readFile(REQUIREMENTS))
    .digest("hex");
  if ((await readFile(stamp, "utf8").catch(() => "")) === wanted) return;
  const options = { timeout: INSTALLED_WITHIN_MS };
  await run("python3", ["-m", "venv", "--clear", ENVIRONMENT], options);
  const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"];
  await run(python(), [...pip, "-r", REQUIREMENTS], options);
  await writeFile(stamp, wanted);
}

function python(): string {
  return join(ENVIRONMENT, "bin", "python");
}
