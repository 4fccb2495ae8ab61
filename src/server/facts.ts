import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { ProcessSurroundings } from "../agent/process/agent-process.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Turns } from "../turns/turns.ts";
import type { Identity } from "./identity.ts";
import type { ServerFacts } from "./info.ts";

/** What the server tells of itself. */
export function factsOf(
  config: ServeConfig,
  parts: Pick<ServerFacts, "agents" | "readiness"> & {
    readonly identity: Identity;
    readonly turns: Turns;
    readonly processes: ProcessSurroundings;
  },
): ServerFacts {
  const { identity, turns, processes, ...facts } = parts;
  const asks = config.permissionMode === "ask";
  return {
    ...facts,
    limits: config,
    defaultPermissionMode: asks ? PermissionMode.ASK : PermissionMode.BYPASS,
    heldBy: processes.families.heldBy,
    signIn: () => identity.means,
    isDraining: () => turns.serving.isDraining,
    rolesOf: (caller) => turns.permissions.rolesOf(caller),
  };
}
