import { isAbsolute } from "node:path";
import { CLI_VERSIONS } from "../agent/claude/cli-versions.ts";
import { configDirectory } from "../agent/claude/config-directory.ts";
import { agentEnvironment } from "../agent/claude/environment.ts";
import { resolveCommand } from "../agent/claude/executable.ts";
import { inspectCli } from "../agent/claude/inspect-cli.ts";
import { findOnPath } from "../agent/executable.ts";
import type { AgentInspection } from "../agent/inspection.ts";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { createLog } from "../log.ts";
import { agentUserOf } from "../server/agent-user-access.ts";
import { environmentOf, planAgents } from "../server/served-agents.ts";
import { failure, failureOr, type MachineCheck, warning, well } from "./examination.ts";

/** Whether the CLI runs, and is one that was measured. */
export const agentCheck: MachineCheck = {
  name: "agent",
  async look(config) {
    const refused = refusalAtStart(config);
    if (refused !== undefined) return failure(refused, "mend the setting that it names");
    const { path, broken, version } = await inspect(config);
    if (broken !== undefined) return failureOr(broken, "");
    const text = `the agent is ${path}, version ${version}`;
    return Object.hasOwn(CLI_VERSIONS, version)
      ? well(text)
      : warning(
          `${text}, which is none of those that were measured`,
          "have it examined: breakglass doctor --agent",
        );
  },
};

/** Whether the CLI has what its API takes. */
export const credentialsCheck: MachineCheck = {
  name: "credentials",
  async look(config) {
    // Why is told of the agent.
    const isRefused = refusalAtStart(config) !== undefined;
    const { broken, unauthenticated } = isRefused ? { broken: true } : await inspect(config);
    if (broken) return warning("not looked at, for the agent does not run", "mend that first");
    return failureOr(
      unauthenticated,
      "the CLI has credentials; whether its API takes them is not tried",
    );
  },
};

/** Why a server would not start with this agent: its rules, or root. */
function refusalAtStart(config: ServeConfig): string | undefined {
  try {
    planAgents(
      config,
      createLog(() => {}),
    );
    agentUserOf(config);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message;
  }
}

const inspections = new WeakMap<ServeConfig, Promise<AgentInspection & { path: string }>>();

/** What is found of the CLI, once for both. */
function inspect(config: ServeConfig): Promise<AgentInspection & { path: string }> {
  const known = inspections.get(config) ?? inspectAnew(config);
  inspections.set(config, known);
  return known;
}

async function inspectAnew(config: ServeConfig): Promise<AgentInspection & { path: string }> {
  const { agentCommand, agentEnv } = config;
  const user = agentUserOf(config);
  const environment = environmentOf(user, config.environment);
  const command = resolveCommand(agentCommand, environment);
  const path = isAbsolute(command) ? command : findOnPath(command, environment);
  const inspection = await inspectCli({
    ...{ path, command, leadingArguments: [] },
    environment: agentEnvironment(environment, agentEnv),
    directory: configDirectory(environment),
    user,
  });
  return { ...inspection, path: path ?? command };
}
