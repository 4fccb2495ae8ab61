import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AuditEntry, AuditFacts } from "../../src/audit/entry.ts";
import { headLine, signHead, signRemoval } from "../../src/audit/head.ts";
import { REPOSITORY } from "../docs/pages.ts";
import { anyEntry, chainOf, headsAt, KEY } from "./chains.ts";

const hasPython = spawnSync("python3", ["-c", ""]).status === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-audit-"));
  const page = await readFile(join(REPOSITORY, "docs/audit.md"), "utf8");
  const [, program] = /```python\n(.*?)```/s.exec(page) ?? [];
  expect(program!.trim().split("\n").length).toBeLessThanOrEqual(35);
  await writeFile(join(folder, "verify.py"), program!);
});
afterAll(() => rm(folder, { recursive: true }));

/** What the verifier of the documentation says of lines. */
async function verified(lines: readonly string[], heads: readonly string[] = []) {
  const [chain, kept] = [join(folder, "chain"), join(folder, "heads")];
  await writeFile(chain, lines.map((line) => `${line}\n`).join(""));
  await writeFile(kept, heads.map((line) => `${line}\n`).join(""));
  const { status, stdout, stderr } = spawnSync("python3", ["verify.py", chain, kept], {
    cwd: folder,
    encoding: "utf8",
  });
  return { status, text: (stdout + stderr).trim() };
}

const lack = hasPython ? "" : " (left out: no python3 on PATH)";

describe.skipIf(!hasPython)(`the verifier in docs/audit.md${lack}`, () => {
  it("finds every record right, whatever is in it, and every change of one wrong", async () => {
    const entries = fc.sample(anyEntry, { numRuns: 300, seed: 7 });
    const odd: AuditEntry = {
      kind: "turn_ended",
      facts: { odd: '\u{1f600}\ud800\x7f\b\u2028\0é/"\\' },
    };
    const chain = chainOf([...entries, odd]);
    const lines = chain.map(({ line }) => line);
    const heads = headsAt(chain, [5, chain.length]).map(headLine);
    const right = { status: 0, text: `right: ${lines.length} records` };
    expect(await verified(lines, heads)).toEqual(right);
    const changed = lines.with(9, lines[9]!.replace('"sequence":10', '"sequence":11'));
    expect((await verified(changed)).text).toContain("record 10");
    expect((await verified(lines.toSpliced(9, 1))).text).toContain("record 10");
    expect((await verified(lines.slice(1))).text).toContain("the beginning is missing");
    expect((await verified(lines.slice(0, -1), heads)).text).toContain("or missing");
  });

  it("takes a beginning that a record says was removed", async () => {
    const chain = chainOf(fc.sample(anyEntry, { numRuns: 10, seed: 7 }));
    const saying = (facts: AuditFacts) => {
      const removed = chainOf([{ kind: "records_removed", facts }], chain.at(-1)!);
      return [...chain.slice(4), ...removed].map(({ line }) => line);
    };
    const removal = { ...signRemoval(chain[3]!, KEY) };
    const text = "right: 7 records, if the removal in record 11 is signed";
    expect(await verified(saying({ removal }))).toEqual({ status: 0, text });
    const head = { ...signHead(chain[3]!, KEY) };
    const other = { ...signRemoval(chainOf([{ kind: "turn_ended" }])[0]!, KEY) };
    for (const facts of [{ head }, { removal: head }, { removal: other }]) {
      expect((await verified(saying(facts))).text).toContain("the beginning is missing");
    }
  });

  it("takes no line that ends otherwise, and no empty one", async () => {
    const lines = chainOf(fc.sample(anyEntry, { numRuns: 5, seed: 7 })).map(({ line }) => line);
    const carried = lines.with(2, `${lines[2]!}\r`);
    expect((await verified(carried)).text).toContain("record 3: not the one text");
    for (const empty of ["", "\r", " "]) {
      const spaced = lines.toSpliced(2, 0, empty);
      expect((await verified(spaced)).text).toContain("record 3: an empty line");
    }
  });
});
