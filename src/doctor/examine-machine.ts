import { ConfigError } from "../config/config-error.ts";
import type { Environment } from "../config/environment.ts";
import { readServeConfig, type ServeConfig } from "../config/serve-config.ts";
import { accessCheck, certificateCheck, listenCheck } from "./access.ts";
import { agentCheck, credentialsCheck } from "./agent.ts";
import { directoriesCheck, storeCheck } from "./directories.ts";
import { diskCheck } from "./disk.ts";
import { failure, type MachineCheck, type Outcome, well } from "./examination.ts";
import { apiCheck, clockCheck } from "./network.ts";
import { containmentCheck, descriptorsCheck } from "./system.ts";

/** What was found of one part of the machine. */
export interface MachineFinding extends Outcome {
  /** Which part, such as `disk`. */
  readonly check: string;
}

/** In the order in which one rests on the other. */
const CHECKS: readonly MachineCheck[] = [
  ...[accessCheck, certificateCheck, listenCheck, directoriesCheck, diskCheck, storeCheck],
  ...[descriptorsCheck, containmentCheck],
  ...[agentCheck, credentialsCheck, apiCheck, clockCheck],
];

/** Every name that a finding may have. */
export const MACHINE_CHECKS: readonly string[] = [
  "node",
  "settings",
  ...CHECKS.map(({ name }) => name),
];

/**
 * Looks at a machine as a server would find it, from Node to the model's API: with the settings of the environment that it is
 * called in. Starts no server, and changes nothing that stays.
 *
 * @param tell - Is told of each part as it is found.
 * @returns whether a server could run a turn: nothing failed.
 */
export async function examineMachine(
  environment: Environment | undefined,
  signal: AbortSignal,
  tell: (finding: MachineFinding) => Promise<void>,
): Promise<boolean> {
  // An older one has refused to start before this.
  await tell({ check: "node", ...well(`Node is ${process.versions.node}`) });
  const config = settings(environment);
  await tell({ check: "settings", ...config.outcome });
  if (config.config === undefined) return false;
  let isSound = true;
  for (const { name, look } of CHECKS) {
    const outcome = await look(config.config, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      return failure(`the check could not be made: ${String(error)}`, "tell its developers");
    });
    if (outcome === undefined) continue;
    isSound &&= outcome.problem?.severity !== "failure";
    await tell({ check: name, ...outcome });
  }
  return isSound;
}

function settings(environment: Environment | undefined): {
  outcome: Outcome;
  config?: ServeConfig;
} {
  try {
    return { config: readServeConfig(environment), outcome: well("the settings can be used") };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      outcome: failure(
        error.problems.join("; "),
        "mend them: docs/settings.md, or breakglass serve --help",
      ),
    };
  }
}
