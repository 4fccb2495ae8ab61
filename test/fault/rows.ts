import { agentKill } from "./agent-kill.ts";
import { audit } from "./audit.ts";
import { clientsCut } from "./clients-cut.ts";
import { descriptorsUsedUp } from "./descriptors-used-up.ts";
import { diskFull } from "./disk-full.ts";
import { fsyncOrder } from "./fsync-order.ts";
import { fuzz } from "./fuzz.ts";
import { halfOpen } from "./half-open.ts";
import { hostileAgents } from "./hostile-agents.ts";
import { hostileMemory } from "./hostile-memory.ts";
import { idleStreams } from "./idle-streams.ts";
import { messageShapes } from "./message-shapes.ts";
import { oneByte } from "./one-byte.ts";
import { readersStalled } from "./readers-stalled.ts";
import type { FaultRow } from "./row.ts";
import { sameRequest } from "./same-request.ts";
import { serverKill } from "./server-kill.ts";
import { sigtermUnderLoad } from "./sigterm-under-load.ts";
import { unfinishedBodies } from "./unfinished-bodies.ts";
import { writeBlocked } from "./write-blocked.ts";

/** Every row of the failure matrix that is brought about here, in the order in which they are run. */
export const ROWS: readonly FaultRow[] = [
  serverKill,
  audit,
  agentKill,
  hostileAgents,
  hostileMemory,
  diskFull,
  descriptorsUsedUp,
  sigtermUnderLoad,
  sameRequest,
  fsyncOrder,
  clientsCut,
  readersStalled,
  writeBlocked,
  halfOpen,
  idleStreams,
  messageShapes,
  oneByte,
  unfinishedBodies,
  fuzz,
];
