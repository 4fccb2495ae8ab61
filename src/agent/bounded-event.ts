import { cutText } from "../stream/cut-text.ts";
import type { EventKind } from "./agent.ts";

/** Room for an event's ids, time and the names of tools. */
const ENVELOPE_BYTES = 4096;

/** More than a person reads. */
const MESSAGE_BYTES = 16 * 1024;
/** What one thing that was denied may take of a result. */
const DENIED_INPUT_BYTES = 16 * 1024;
/** What an entry of a list takes beside its texts. */
const ENTRY_BYTES = 32;

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
    case "approvalRequest":
      dropInput(kind.value, room - Buffer.byteLength(kind.value.description));
      break;
    case "approvalResolution":
      kind.value.message = cutText(kind.value.message, Math.min(room / 2, MESSAGE_BYTES));
      dropInput(kind.value, room / 2);
      break;
    case "steer":
      cutField(kind.value, "message", room);
      break;
    case "result":
      boundResult(kind.value, room);
      break;
    case "notice":
      kind.value.message = cutText(kind.value.message, Math.min(room, MESSAGE_BYTES));
      break;
    case "error":
      kind.value.message = cutText(kind.value.message, Math.min(room / 2, MESSAGE_BYTES));
      kind.value.stderrTail = lastOf(kind.value.stderrTail, room / 2);
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

/** A result holds several things that can be large; its text is what gives way last, and has a quarter for itself. */
function boundResult(value: ResultKind["value"], room: number): void {
  const kept = Math.min(Buffer.byteLength(value.result), Math.floor(room / 4));
  let left = room - kept;
  const structured = Buffer.byteLength(value.structuredOutputJson);
  if (structured > room / 2) {
    value.structuredOutputJson = "";
    value.truncated = true;
  } else left -= structured;
  left -= boundDenials(value, left);
  cutField(value, "result", left + kept);
}

/** Leaves out inputs, and then the last entries: the first ones tell the story. Returns what the list takes. */
function boundDenials(value: ResultKind["value"], room: number): number {
  let bytes = 0;
  for (const [index, denial] of value.permissionDenials.entries()) {
    const input = Buffer.byteLength(denial.inputJson);
    if (input > DENIED_INPUT_BYTES || bytes + input > room / 2) denial.inputJson = "";
    const names = Buffer.byteLength(denial.toolId) + Buffer.byteLength(denial.name);
    const entry = ENTRY_BYTES + names + (denial.inputJson === "" ? 0 : input);
    if (bytes + entry > room) {
      value.permissionDenials.splice(index);
      value.truncated = true;
      break;
    }
    bytes += entry;
  }
  return bytes;
}

/** The longest end of a text that takes at most so many bytes of UTF-8. */
function lastOf(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const end = bytes.subarray(-maxBytes).toString();
  return end.replace(/^\ufffd+/, "");
}

/** The length in bytes; for a text that cannot exceed the limit an upper bound does. */
function byteLengthWithin(text: string, limit: number): number {
  return text.length * 3 <= limit ? text.length * 3 : Buffer.byteLength(text);
}
