import { describe } from "vitest";
import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { ClaudeAgent } from "../../../src/agent/claude/claude-agent.ts";
import { SCRIPTED_AGENT } from "../../support/test-environment.ts";
import { describeAgent } from "../agent-contract.ts";
import { openAgent } from "../agent-under-test.ts";

describe("the Claude Code CLI as an agent", () => {
  describeAgent(() =>
    openAgent(
      (processes, environment, marker) =>
        new ClaudeAgent({
          command: SCRIPTED_AGENT,
          environment,
          passedNames: [marker],
          maxEventBytes: 256 * 1024,
          processes,
          maxWarmProcesses: 8,
          warmMs: 60_000,
          defaults: { agent: "breakglass", model: "sonnet" },
          spares: { count: 0, mode: PermissionMode.BYPASS },
          trustsWorkspace: false,
          rules: { allow: [], deny: [] },
        }),
    ),
  );
});
