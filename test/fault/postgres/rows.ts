import type { FaultRow } from "../row.ts";
import { connectionKilled } from "./connection-killed.ts";
import { databaseAway } from "./database-away.ts";
import { fenceLive, fenceUnlocked } from "./fence-live.ts";
import { ownerStopped } from "./owner-stopped.ts";
import { partition } from "./partition.ts";
import { primaryKilled } from "./primary-killed.ts";
import { replicaKilled } from "./replica-killed.ts";
import { sameRequestEverywhere } from "./same-request.ts";
import { standbyCanceled } from "./standby-canceled.ts";

/** Every row of servers on a PostgreSQL database, in the order in which they are run. */
export const POSTGRES_ROWS: readonly FaultRow[] = [
  ownerStopped,
  fenceLive,
  fenceUnlocked,
  primaryKilled,
  connectionKilled,
  standbyCanceled,
  replicaKilled,
  sameRequestEverywhere,
  databaseAway,
  partition,
];
