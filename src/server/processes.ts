import type { ProcessSurroundings } from "../agent/process/agent-process.ts";
import type { AgentUser } from "../agent/process/agent-user.ts";
import type { Containment } from "../agent/process/containment.ts";
import { createProcesses } from "../agent/process/processes.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { Peers } from "../rpc/peers.ts";
import type { Store } from "../store/store.ts";

/** What the agents' processes share, which are recorded under the server's lease. */
export function processesOf(
  store: Store,
  { maxLineBytes }: ServeConfig,
  log: Log,
  umask: number | undefined,
  of: { readonly user: AgentUser | undefined; readonly containment: Containment },
): ProcessSurroundings {
  const registry = {
    recordProcess: (process: Parameters<Store["recordProcess"]>[0]) =>
      store.recordProcess(process, store.lease.epoch),
    recordProcessGone: (processId: string) => store.recordProcessGone(processId),
  };
  return createProcesses({ registry, log, maxLineBytes, umask, ...of });
}

/** Who calls is looked for among the agents' processes. */
export function peersOf({ families, user }: ProcessSurroundings): Peers {
  return new Peers({ look: (end) => families.peers.look(end), agentUid: user?.uid });
}
