import { written } from "../../audit/record.ts";
import type { StoreMethods } from "../store.ts";
import type { EventBatch } from "../writes.ts";
import type { Call } from "./messages.ts";
import { memoryOf, type PackedEvents, packEvents, unpackEvents } from "./packed-events.ts";

/**
 * Calls on their way to the thread, with the events of all of them in one piece of memory: a message costs more than what
 * an append writes, and a thousand turns append in the same moment.
 */
export interface CallBatch {
  /** Of an append the number of its events takes their place. */
  readonly calls: readonly Call[];
  readonly packed: PackedEvents;
}

/** Packs calls, and answers with the memory that is to be moved with the message. */
export function packCalls(calls: readonly Call[]): { batch: CallBatch; moved: ArrayBuffer[] } {
  const all: Uint8Array[] = [];
  const packedCalls = calls.map((call) => {
    if (call.method !== "append") return call;
    const [batch, epoch] = call.args as Parameters<StoreMethods["append"]>;
    for (const event of batch.events) all.push(event);
    const audit = batch.audit && { audit: batch.audit.map(written) };
    return { ...call, args: [{ ...batch, ...audit, events: batch.events.length }, epoch] };
  });
  const packed = packEvents(all);
  return { batch: { calls: packedCalls, packed }, moved: memoryOf(packed) };
}

/** The calls again. */
export function unpackCalls({ calls, packed }: CallBatch): Call[] {
  const all = unpackEvents(packed);
  let next = 0;
  return calls.map((call) => {
    if (call.method !== "append") return call;
    const [batch, epoch] = call.args as [Omit<EventBatch, "events"> & { events: number }, number];
    const events = all.slice(next, next + batch.events);
    next += batch.events;
    return { ...call, args: [{ ...batch, events }, epoch] };
  });
}
