import type { FaultRow } from "../row.ts";
import { connectionKilled } from "./connection-killed.ts";
import { fenceLive, fenceUnlocked } from "./fence-live.ts";
import { ownerStopped } from "./owner-stopped.ts";
import { primaryKilled } from "./primary-killed.ts";
import { standbyCanceled } from "./standby-canceled.ts";

/** Every row of servers on a PostgreSQL database, in the order in which they are run. */
export const POSTGRES_ROWS: readonly FaultRow[] = [
  ownerStopped,
  fenceLive,
  fenceUnlocked,
  primaryKilled,
  connectionKilled,
  standbyCanceled,
];
