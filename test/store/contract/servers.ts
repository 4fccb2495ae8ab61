import { TurnOrigin } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { LeaseTerms } from "../../../src/store/lease.ts";
import type { EventBatch, TurnStart } from "../../../src/store/writes.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../../support/turn-start.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

/** What the servers' leases are held by. */
export const TERMS: LeaseTerms = { renewMs: 100, graceMs: 500, leaseMs: 1000 };
export const FENCED = { reason: "FENCED" };
export const PRINCIPAL = "alice";

/** Two servers on one store, whose leases run out. */
export interface TwoServers extends AsyncDisposable {
  readonly one: OwnedStore;
  readonly other: OwnedStore;
  /** The server of that name starts again. */
  restart(name: "one" | "other" | "third", address?: string): Promise<OwnedStore>;
  passLeases(ms: number): void;
}

export async function openServers(openStore: () => Promise<StoreUnderTest>): Promise<TwoServers> {
  const opened = await openStore();
  const restart = async (name: string, address = addressOf(name)) =>
    owned(await opened.openFor(name, TERMS, address));
  return {
    one: await restart("one"),
    other: await restart("other"),
    restart,
    passLeases: (ms) => opened.passLeases(ms),
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

/** What the others reach a server by. */
export function addressOf(name: string): string {
  return `${name}.example:7434`;
}

/** A turn that runs on a server, in a session of its own. */
export async function begin(server: OwnedStore, more: Partial<TurnStart> = {}) {
  return server.createTurn(turnStart(more));
}

/** A turn that has ended there, as above. */
export async function beginEnded(server: OwnedStore, more: Partial<TurnStart> = {}) {
  const started = await begin(server, more);
  await server.append(endOf(started.turn.turnId));
  return started;
}

/** One event of a turn. */
export function event(turnId: string, firstSequence = 1): EventBatch {
  return { turnId, firstSequence, events: [new Uint8Array(1)], time: 1 };
}

/** The last event of a turn. */
export function endOf(turnId: string, firstSequence = 1, time = 2): EventBatch {
  return { ...event(turnId, firstSequence), time, end: SUCCEEDED };
}

/** The next turn of a session. */
export function nextIn(sessionId: string, more: Partial<TurnStart> = {}): TurnStart {
  return turnStart({ sentSessionId: sessionId, ...more });
}

/** A turn that the agent begins by itself in a session. */
export function ownIn(sessionKey: string): TurnStart {
  return turnStart({ sentSessionId: sessionKey, origin: TurnOrigin.AGENT });
}
