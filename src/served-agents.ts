import { basename } from "node:path";
import { PermissionMode } from "../gen/breakglass/v1/turn_pb.ts";
import type { Agent } from "./agent/agent.ts";
import { ClaudeAgent, DEFAULT_MODEL } from "./agent/claude/claude-agent.ts";
import { resolveCommand } from "./agent/claude/executable.ts";
import { NO_RULES, readRules } from "./agent/claude/permission-rules.ts";
import type { ProcessSurroundings } from "./agent/process/agent-process.ts";
import { ConfigError } from "./config/config-error.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import type { Log } from "./log.ts";
import { SettingSource } from "./setting-source.ts";

/** The agents of a server, by their kinds. */
export interface ServedAgents {
  readonly byKind: ReadonlyMap<string, Agent>;
  /** The kind of sessions that name none. */
  readonly defaultKind: string;
  /** Reads the agents' own files again; what cannot be read stays as it was, and the log says so. */
  readAgain(log: Log): void;
}

/** Makes the agents that a server is to run, once there is where their processes are recorded. */
export type AgentPlan = (processes: ProcessSurroundings) => ServedAgents;

/**
 * Reads which agents there are to be, and their own files.
 *
 * @throws ConfigError where a setting cannot be used.
 */
export function planAgents(config: ServeConfig, log: Log): AgentPlan {
  refuseRoot(config, log);
  const claude = planClaude(config);
  return (processes) => {
    const { agent, readAgain } = claude(processes);
    return { byKind: new Map([["claude", agent]]), defaultKind: "claude", readAgain };
  };
}

/** The rules are in the CLI's own syntax. */
function planClaude(config: ServeConfig) {
  const { environment, rulesFile, agent, model = DEFAULT_MODEL } = config;
  const rules = new SettingSource("BREAKGLASS_RULES_FILE", () =>
    rulesFile === undefined ? NO_RULES : readRules(rulesFile),
  );
  const mode = config.permissionMode === "ask" ? PermissionMode.ASK : PermissionMode.BYPASS;
  return (processes: ProcessSurroundings) => {
    const claude = new ClaudeAgent({
      command: resolveCommand(config.agentCommand, environment),
      environment,
      passedNames: config.agentEnv,
      maxEventBytes: config.maxEventBytes,
      processes,
      maxWarmProcesses: config.maxWarmProcesses,
      warmMs: config.warmMs,
      defaults: { agent, model },
      spares: { count: config.spareProcesses, mode },
      trustsWorkspace: config.workspaceTrust === "trusted",
      rules: rules.current,
    });
    const readAgain = (log: Log) => {
      rules.readAgain(log);
      claude.setRules(rules.current);
    };
    return { agent: claude, readAgain };
  };
}

/**
 * The CLI refuses to work unattended as root: that is told at the start, and not by the first turn in an emergency. A program
 * that the operator named may have its own way with root.
 */
function refuseRoot(config: ServeConfig, log: Log): void {
  const { agentCommand, permissionMode, environment } = config;
  const asks = permissionMode === "ask";
  if (asks || process.getuid?.() !== 0 || environment.IS_SANDBOX) return;
  const mend =
    "run the server as another user or, where the machine itself is a sandbox, set IS_SANDBOX=1";
  const why = "the Claude Code CLI refuses to work unattended as root";
  if (agentCommand === undefined) {
    throw new ConfigError(
      `BREAKGLASS_PERMISSION_MODE is "bypass", but ${why}: ${mend}; or set BREAKGLASS_PERMISSION_MODE=ask`,
    );
  }
  if (basename(agentCommand) !== "claude") return;
  log.error(`turns in the mode BYPASS will fail: ${why}`, { mend });
}
