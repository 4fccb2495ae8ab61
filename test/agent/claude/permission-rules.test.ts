import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readRules } from "../../../src/agent/claude/permission-rules.ts";

const directory = mkdtempSync(join(tmpdir(), "breakglass-rules-"));
afterAll(() => rmSync(directory, { recursive: true }));

function rulesIn(text: string) {
  const path = join(directory, "rules");
  writeFileSync(path, text);
  return readRules(path);
}

describe("a file of rules", () => {
  it("holds what is allowed and what is denied, in the CLI's own words", () => {
    const text = `# harmless
allow Bash(git log --format=%h,%s:*)
allow Read

  deny Bash(rm:*)\r
deny mcp__db__drop
`;
    expect(rulesIn(text)).toEqual({
      allow: ["Bash(git log --format=%h,%s:*)", "Read"],
      deny: ["Bash(rm:*)", "mcp__db__drop"],
    });
  });

  it.each([
    "Bash(rm:*)",
    "deny",
    "permit Read",
    "deny Bash(",
    "deny Bash()",
    "deny rm -rf",
    "deny (x)",
  ])("is not used where a line is no rule, and says which: %s", (line) => {
    expect(() => rulesIn(`allow Read\n${line}\n`)).toThrow(
      /BREAKGLASS_RULES_FILE is .*, whose line 2 is .* takes allow or deny and a rule/,
    );
  });
});
