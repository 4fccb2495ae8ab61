import type { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { ProcessCounts } from "../agent/process-counts.ts";
import type { HeadDelivery } from "../audit/head-publisher.ts";
import type { StoreLoad } from "../store/store-load.ts";

/** What a server does now, asked for each time that its metrics are read. */
export interface ServerLoad {
  /** Turns without an end on disk. */
  turns(): ReadonlyMap<TurnState, number>;
  /** Readers of turns and of sessions. */
  subscriptions(): number;
  /** Responses that are open, whatever they are of. */
  responses(): number;
  connections(): number;
  /** Sessions of which something is active. */
  sessions(): number;
  processes(): ProcessCounts;
  store(): StoreLoad;
  storeTakesWrites(): Promise<boolean>;
  isDraining(): boolean;
  /** How it stands with the audit's heads, by where they go. */
  heads(): readonly HeadDelivery[];
  /** What is kept for when the disk is full, and what is to be, in bytes. */
  reserve(): { readonly heldBytes: number; readonly wantedBytes: number };
  /** What there is room for in the data directory, in bytes. Undefined: it cannot be told. */
  freeBytes(): Promise<number | undefined>;
}
