import type { EventKind } from "../../../src/agent/agent.ts";
import { isTerminal } from "../../../src/agent/agent.ts";
import { boundEvent } from "../../../src/agent/bounded-event.ts";
import type { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { decodeEvent, encodeEvents } from "../../../src/turns/encoded-event.ts";

/** What an event may take as the server is set up unless told otherwise. */
const MAX_EVENT_BYTES = 3 * 1024 * 1024;
/** The length that stands before an event. */
const LENGTH_BYTES = 10;
const IDS = { turnId: "t".repeat(36), sessionId: "s".repeat(36) };

/** What is wrong with the order and the number of the events that the lines of one process were made into. Empty: nothing. */
export function faultsOfOrder(
  events: readonly EventKind[],
  translation: ClaudeTranslation,
): string[] {
  const faults: string[] = [];
  const cases = events.map((event) => event.case);
  const sessions = cases.filter((kind) => kind === "session").length;
  if (sessions !== (translation.initialized ? 1 : 0)) faults.push(`${sessions} sessions`);
  const work = cases.findIndex((kind) => !MAY_BEGIN.has(kind));
  if (work !== -1 && !cases.slice(0, work).includes("session")) {
    faults.push(`${cases[work]} before session`);
  }
  const end = events.findIndex(isTerminal);
  if (end !== -1 && end !== events.length - 1) faults.push(`${cases[end + 1]} after ${cases[end]}`);
  if (translation.ended !== (end !== -1 || translation.conversationUnknown)) {
    faults.push(`ended is ${translation.ended}, behind ${cases.at(-1)}`);
  }
  return faults;
}

/** What can come where no agent has come up. */
const MAY_BEGIN = new Set(["notice", "session", "result", "error", "textDelta"]);

/** What is wrong with events as they are kept, in size or as they are read again. Empty: nothing. Bounds them, as a turn does. */
export function faultsOfBytes(events: EventKind[]): string[] {
  for (const event of events) boundEvent(event, MAX_EVENT_BYTES);
  const encoded = encodeEvents(IDS, 1, 0, events);
  return encoded.flatMap((bytes, index) => {
    const faults: string[] = [];
    if (bytes.length > MAX_EVENT_BYTES + LENGTH_BYTES) faults.push(`${bytes.length} bytes`);
    const { kind, sequence } = decodeEvent(bytes);
    if (sequence !== index + 1) faults.push(`sequence ${sequence} at ${index}`);
    // Also finds lone surrogates, which the encoding replaces in silence.
    const plain = (value: unknown) => JSON.stringify(value, orderless);
    if (plain(kind) !== plain(events[index])) faults.push("is not what was encoded");
    return faults.map((fault) => `event ${index + 1}, ${kind.case}: ${fault}`);
  });
}

/** A value with its fields by name; what is unset is not told of. */
function orderless(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([one], [two]) => (one < two ? -1 : 1)));
}
