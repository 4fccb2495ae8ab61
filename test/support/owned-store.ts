import type { AuditEntry } from "../../src/audit/entry.ts";
import type {
  LeftProcess,
  LeftTurn,
  RemovedSession,
  RemovedTurns,
} from "../../src/store/records.ts";
import type { Store } from "../../src/store/store.ts";
import type { EventBatch, TurnStart } from "../../src/store/writes.ts";

/** A store as it is used by the server that it was opened for: under its lease, unless told otherwise. */
export type OwnedStore = Omit<Store, keyof OwnCalls> & OwnCalls;

interface OwnCalls {
  createTurn(start: TurnStart, epoch?: number): ReturnType<Store["createTurn"]>;
  beginTurn(turnId: string, epoch?: number): Promise<void>;
  append(batch: EventBatch, epoch?: number): Promise<void>;
  claimConversation(sessionKey: string, agentSessionId: string, epoch?: number): Promise<boolean>;
  recordProcess(process: LeftProcess, epoch?: number): Promise<void>;
  fence(owner: string, epoch?: number): Promise<boolean>;
  deleteSession(
    sessionId: string,
    principal: string,
    time: number,
    epoch?: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedSession>;
  removeEndedTurns(
    before: number,
    limit: number,
    time: number,
    epoch?: number,
    audit?: readonly AuditEntry[],
  ): Promise<RemovedTurns>;
  listRemovals(owner?: string): Promise<RemovedSession[]>;
  listLeftTurns(owner?: string): Promise<LeftTurn[]>;
  listLeftProcesses(owner?: string): Promise<LeftProcess[]>;
}

export function owned(store: Store): OwnedStore {
  const { owner: me, epoch: own } = store.lease;
  const calls: OwnCalls = {
    createTurn: (start, epoch = own) => store.createTurn(start, epoch),
    beginTurn: (turnId, epoch = own) => store.beginTurn(turnId, epoch),
    append: (batch, epoch = own) => store.append(batch, epoch),
    claimConversation: (key, id, epoch = own) => store.claimConversation(key, id, epoch),
    recordProcess: (process, epoch = own) => store.recordProcess(process, epoch),
    fence: (owner, epoch = own) => store.fence(owner, epoch),
    deleteSession: (id, principal, time, epoch = own, audit) =>
      store.deleteSession(id, principal, time, epoch, audit),
    removeEndedTurns: (before, limit, time, epoch = own, audit) =>
      store.removeEndedTurns(before, limit, time, epoch, audit),
    listRemovals: (owner = me) => store.listRemovals(owner),
    listLeftTurns: (owner = me) => store.listLeftTurns(owner),
    listLeftProcesses: (owner = me) => store.listLeftProcesses(owner),
  };
  return { ...store, ...calls };
}
