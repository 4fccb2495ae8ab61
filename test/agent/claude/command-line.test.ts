import { expect, it } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { claudeArguments } from "../../../src/agent/claude/command-line.ts";
import { NO_RULES } from "../../../src/agent/claude/permission-rules.ts";

const place = {
  workspace: "/workspace",
  agentSessionId: "5b2c1c3e-0000-4000-8000-000000000000",
  model: "sonnet",
  agent: "breakglass",
};

function argumentsOf(mode: PermissionMode, trustsWorkspace: boolean): string[] {
  return claudeArguments(place, "new", mode, { trustsWorkspace, rules: NO_RULES }, undefined);
}

// What a run of the real CLI shows of these is in the suites that plant things. The connectors of a login to claude.ai, which
// 2.1.330 takes up without the second, lie in no file and come from the network: measured by hand.
it.each([
  [PermissionMode.ASK, false, true],
  [PermissionMode.ASK, true, false],
  [PermissionMode.BYPASS, false, false],
])(
  "mode %i of a workspace that is trusted (%s) takes up no settings and no servers: %s",
  (mode, isTrusted, isUntrusting) => {
    const args = argumentsOf(mode, isTrusted);
    expect(args.includes("--strict-mcp-config")).toBe(isUntrusting);
    expect(args.join("\n").includes("--setting-sources\n\n")).toBe(isUntrusting);
    expect(args.includes("--allow-dangerously-skip-permissions")).toBe(
      mode === PermissionMode.BYPASS,
    );
  },
);
