import type { EventKind } from "../agent/agent.ts";
import { cutText } from "../stream/cut-text.ts";

/** Room for an event's ids, time and the names of tools. */
const ENVELOPE_BYTES = 4096;

type ResultKind = Extract<EventKind, { case: "result" }>;

/**
 * Makes an event fit into `maxBytes` serialized, in place: text is cut between characters, JSON is left out whole, and
 * the event says so. What fits is left as it is.
 */
export function boundEvent(kind: EventKind, maxBytes: number): void {
  const room = maxBytes - ENVELOPE_BYTES;
  switch (kind.case) {
    case "text":
    case "thinking":
      cutField(kind.value, "text", room);
      break;
    case "toolResult":
      cutField(kind.value, "content", room);
      break;
    case "tool":
      dropInput(kind.value, room);
      break;
    case "result":
      boundResult(kind.value, room);
      break;
    case "notice":
    case "error":
      kind.value.message = cutText(kind.value.message, Math.min(room, 16 * 1024));
      break;
  }
}

type Cuttable<F extends string> = Record<F, string> & { truncated: boolean; totalBytes: bigint };

function cutField<F extends string>(value: Cuttable<F>, field: F, room: number): void {
  const text: string = value[field];
  const kept = cutText(text, room);
  if (kept.length === text.length) return;
  (value as Record<F, string>)[field] = kept;
  value.truncated = true;
  value.totalBytes = BigInt(Buffer.byteLength(text));
}

function dropInput(value: Cuttable<"inputJson">, room: number): void {
  const bytes = byteLengthWithin(value.inputJson, room);
  if (bytes <= room) return;
  value.inputJson = "";
  value.truncated = true;
  value.totalBytes = BigInt(bytes);
}

/** A result holds several things that can be large; its text is what gives way last. */
function boundResult(value: ResultKind["value"], room: number): void {
  let left = room;
  for (const denial of value.permissionDenials) {
    const bytes = byteLengthWithin(denial.inputJson, 16 * 1024);
    if (bytes > 16 * 1024 || left < room / 2) denial.inputJson = "";
    left -= Buffer.byteLength(denial.inputJson) + denial.toolId.length + denial.name.length + 64;
  }
  // More denials than that and their list alone would break every reader: the first ones tell the story.
  if (left < room / 4) value.permissionDenials.splice(Math.floor(room / 4096));
  const structured = byteLengthWithin(value.structuredOutputJson, left);
  if (structured > room / 2) {
    value.structuredOutputJson = "";
    value.truncated = true;
  } else left -= structured;
  cutField(value, "result", Math.max(left, room / 4));
}

/** The length in bytes; for a text that cannot exceed the limit an upper bound does. */
function byteLengthWithin(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length * 3 : Buffer.byteLength(text);
}
