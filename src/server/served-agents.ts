import { basename } from "node:path";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Agent } from "../agent/agent.ts";
import { ClaudeAgent, DEFAULT_MODEL } from "../agent/claude/claude-agent.ts";
import { resolveCommand } from "../agent/claude/executable.ts";
import { NO_RULES, readRules } from "../agent/claude/permission-rules.ts";
import type { ProcessSurroundings } from "../agent/process/agent-process.ts";
import type { AgentUser } from "../agent/process/agent-user.ts";
import { ConfigError } from "../config/config-error.ts";
import type { Environment } from "../config/environment.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { SettingSource } from "../setting-source.ts";

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
  const { rulesFile, agent, model = DEFAULT_MODEL } = config;
  const rules = new SettingSource("BREAKGLASS_RULES_FILE", () =>
    rulesFile === undefined ? NO_RULES : readRules(rulesFile),
  );
  const mode = config.permissionMode === "ask" ? PermissionMode.ASK : PermissionMode.BYPASS;
  return (processes: ProcessSurroundings) => {
    const environment = environmentOf(processes.user, config.environment);
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

/** The environment that an agent's is picked of. One of another user has that user's home, and none of the server's places. */
export function environmentOf(user: AgentUser | undefined, server: Environment): Environment {
  if (user === undefined) return server;
  const { name, home, shell } = user;
  const own = Object.entries(server).filter(([variable]) => !PLACES.has(variable));
  return { ...Object.fromEntries(own), HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

const PLACES = new Set(
  "XDG_CONFIG_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR TMPDIR".split(" "),
);

/**
 * The CLI refuses to work unattended as root: that is told at the start, and not by the first turn in an emergency. A program
 * that the operator named may have its own way with root.
 */
function refuseRoot(config: ServeConfig, log: Log): void {
  const { agentCommand, permissionMode, environment } = config;
  const asks = permissionMode === "ask";
  if (config.agentUser !== undefined) return;
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
