/**
 * Events on their way between threads, in one piece of memory that moves and is not copied. Many small arrays would each
 * be cloned, which costs more than writing them to the database does.
 */
export interface PackedEvents {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each event ends. */
  readonly ends: Uint32Array<ArrayBuffer>;
}

/** Puts events one behind the other. */
export function packEvents(events: readonly Uint8Array[]): PackedEvents {
  const ends = new Uint32Array(events.length);
  let length = 0;
  for (const [index, event] of events.entries()) {
    length += event.length;
    ends[index] = length;
  }
  const bytes = new Uint8Array(length);
  for (const [index, event] of events.entries()) bytes.set(event, ends[index]! - event.length);
  return { bytes, ends };
}

/** The events again, as views of the one piece of memory. */
export function unpackEvents({ bytes, ends }: PackedEvents): Uint8Array[] {
  return Array.from(ends, (end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

/** The memory of packed events, to be moved with the message that holds them. */
export function memoryOf({ bytes, ends }: PackedEvents): ArrayBuffer[] {
  return [bytes.buffer, ends.buffer];
}
