import type { EventKind } from "../../../src/agent/agent.ts";
import { ClaudeTranslation } from "../../../src/agent/claude/translation.ts";
import { translateLine } from "../../support/translated-lines.ts";

/** The id of a conversation. */
export const ID = "9fc530c3-31a1-4c14-8865-28ef3331aca6";
/** The line of an agent that comes up. */
export const INIT = { type: "system", subtype: "init", session_id: ID, model: "m-1" };

/** What lines mean to a turn that begins a conversation. */
export function translate(...lines: readonly (string | object)[]) {
  const translation = new ClaudeTranslation({ agent: "breakglass", resumed: false });
  return { translation, events: append(translation, ...lines) };
}

/** What further lines mean to a turn. */
export function append(translation: ClaudeTranslation, ...lines: readonly (string | object)[]) {
  const events: EventKind[] = [];
  for (const line of lines) {
    const text = typeof line === "string" ? line : JSON.stringify(line);
    translateLine(translation, Buffer.from(text), events);
  }
  return events;
}

/** A line with a message of the model. */
export function assistant(content: unknown, more: object = {}, message: object = {}) {
  return {
    type: "assistant",
    message: { id: "msg_1", model: "m-1", content, ...message },
    ...more,
  };
}

/** A line with a call of a tool, its input as written. */
export function toolLine(input: string): string {
  const block = `{"type":"tool_use","id":"t1","name":"Bash","input":${input}}`;
  return `{"type":"assistant","message":{"id":"msg_1","content":[${block}]}}`;
}

/** A line with what a tool answered. */
export function answer(content: unknown, more: object = {}) {
  const block = { type: "tool_result", tool_use_id: "t1", content, ...more };
  return { type: "user", message: { role: "user", content: [block] } };
}

/** A line with a message that the CLI wrote itself. */
export function synthetic(text: string, more: object = {}, message: object = {}) {
  return assistant([{ type: "text", text }], more, { model: "<synthetic>", ...message });
}

/** The values of the events of one kind. */
export function valuesOf<C extends EventKind["case"]>(events: readonly EventKind[], kind: C) {
  type Value = Extract<EventKind, { case: C }>["value"];
  return events.filter((event) => event.case === kind).map((event) => event.value as Value);
}

/** The kinds of events. */
export const casesOf = (events: readonly EventKind[]) => events.map((event) => event.case);
/** What the notices among events are about. */
export const reasonsOf = (events: readonly EventKind[]) =>
  valuesOf(events, "notice").map((notice) => notice.reason);
