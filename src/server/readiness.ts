import type { Agents } from "../agent/agents.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { DiskReserve } from "../disk-reserve.ts";
import { Readiness } from "../health/readiness.ts";
import type { Turns } from "../turns/turns.ts";
import type { ServerAudit } from "./audit.ts";

/** What is looked at before the server is said to be ready. */
export function readinessOf(
  { dataDir, sessionsDir }: ServeConfig,
  { serving }: Turns,
  agents: Agents,
  kept: DiskReserve,
  audit: ServerAudit,
) {
  const directories = dataDir === sessionsDir ? [dataDir] : [dataDir, sessionsDir];
  const heads = () => audit.deliveries();
  return new Readiness({ serving, agents, directories, kept, heads });
}
