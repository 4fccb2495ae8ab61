import { fileURLToPath } from "node:url";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { ClaudeAgent, DEFAULT_MODEL } from "../agent/claude/claude-agent.ts";
import { NO_RULES } from "../agent/claude/permission-rules.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { AgentPlan } from "../server/served-agents.ts";

const AGENT = fileURLToPath(
  new URL(
    import.meta.url.endsWith(".ts") ? "./agent/fake-agent.ts" : "./agent/fake-agent.js",
    import.meta.url,
  ),
);
/** It holds little, and there may be many. */
const NODE_OPTIONS = ["--max-semi-space-size=1", "--disable-sigusr1"];

/** The adapter of the CLI, over a program that plays a script in its place. */
export function planFakeAgents(config: ServeConfig): AgentPlan {
  const mode = config.permissionMode === "ask" ? PermissionMode.ASK : PermissionMode.BYPASS;
  return (processes) => {
    const agent = new ClaudeAgent({
      command: process.execPath,
      leadingArguments: [...NODE_OPTIONS, AGENT],
      environment: config.environment,
      passedNames: config.agentEnv,
      maxEventBytes: config.maxEventBytes,
      processes,
      maxWarmProcesses: config.maxWarmProcesses,
      warmMs: config.warmMs,
      defaults: { agent: config.agent, model: config.model ?? DEFAULT_MODEL },
      spares: { count: config.spareProcesses, mode },
      trustsWorkspace: config.workspaceTrust === "trusted",
      rules: NO_RULES,
    });
    return { byKind: new Map([["claude", agent]]), defaultKind: "claude", readAgain: () => {} };
  };
}
