import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse } from "yaml";
import { prettifyError } from "zod";
import { type ConformanceCase, caseFile } from "./case.ts";
import { messageProblems } from "./case-messages.ts";

const DIRECTORY = join(import.meta.dirname, "cases");

/**
 * Reads the kit's cases, in the order of their files. A case is named after its file and itself: `cuts/behind-each-event`.
 *
 * @param directory - Where the files are; those of the kit unless told.
 * @throws Error, which names the file, where one is not as docs/conformance.md has it.
 */
export function readCases(directory = DIRECTORY): ConformanceCase[] {
  const files = globSync("*.yaml", { cwd: directory }).toSorted();
  if (files.length === 0) throw new Error(`${directory} has no cases`);
  const cases = files.flatMap((file) => readFile(join(directory, file)));
  const names = new Set<string>();
  for (const { name } of cases) {
    if (names.has(name)) throw new Error(`there are two cases ${name}`);
    names.add(name);
  }
  return cases;
}

function readFile(path: string): ConformanceCase[] {
  // Documents of one file may share what stands in front of them by anchors, so that they are one.
  const parsed = caseFile.safeParse(parse(readFileSync(path, "utf8"), { merge: true }));
  if (!parsed.success) throw new Error(`${path}: ${prettifyError(parsed.error)}`);
  const group = basename(path, ".yaml");
  return parsed.data.map((one) => {
    const named = { ...one, name: `${group}/${one.name}` };
    const [problem] = messageProblems(named);
    if (problem !== undefined) throw new Error(`${path}: ${named.name}: ${problem}`);
    return named;
  });
}
