import { describe, expect, it } from "vitest";
import { AGENT_FACTS } from "../../src/drill/agent-facts.ts";
import { type Finding, runDoctor } from "../../src/drill/doctor.ts";
import { createLog } from "../../src/log.ts";
import { INSTALLED_CLIS } from "../support/installed-clis.ts";

describe.each(INSTALLED_CLIS)("the CLI $version, examined,", ({ command }) => {
  it("holds every fact that the adapter rests on", async () => {
    const findings: Finding[] = [];
    const { signal } = new AbortController();
    const tell = async (finding: Finding) => void findings.push(finding);
    const isSound = await runDoctor(
      command,
      createLog(() => {}),
      signal,
      tell,
    );
    expect(findings.filter(({ holds }) => !holds)).toEqual([]);
    expect(findings.map(({ fact }) => fact)).toEqual(AGENT_FACTS.map(({ name }) => name));
    expect(isSound).toBe(true);
  }, 300_000);
});
