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
    const events = appendedBy(call);
    if (events === undefined) return call;
    for (const event of events) all.push(event);
    return { ...call, args: [call.args[0], events.length] };
  });
  const packed = packEvents(all);
  return { batch: { calls: packedCalls, packed }, moved: memoryOf(packed) };
}

/** The calls again. */
export function unpackCalls({ calls, packed }: CallBatch): Call[] {
  const all = unpackEvents(packed);
  let next = 0;
  return calls.map((call) => {
    const [batch, count] = call.args;
    if (call.method !== "append" || typeof count !== "number") return call;
    const events = all.slice(next, next + count);
    next += count;
    return { ...call, args: [batch, events] };
  });
}

function appendedBy({ method, args }: Call): readonly Uint8Array[] | undefined {
  return method === "append" ? (args[1] as readonly Uint8Array[]) : undefined;
}
