import type { TurnEvent } from "../../../gen/breakglass/v1/event_pb.ts";

/** A text or a tool, without what only we add to it. */
export type PlainEvent = { text: string } | { id: string; name: string; input: unknown };

/** What the module that this service replaced made of the lines, up to the first result. */
export function plainTranslation(lines: readonly Buffer[]): PlainEvent[] {
  const plain: PlainEvent[] = [];
  for (const line of lines) {
    if (!line.toString().startsWith("{")) continue;
    const message = JSON.parse(line.toString());
    if (message.type === "result") break;
    if (message.type !== "assistant" || message.message.model === "<synthetic>") continue;
    for (const block of message.message.content) {
      if (block.type === "text") plain.push({ text: block.text });
      if (block.type === "tool_use") {
        plain.push({ id: block.id, name: block.name, input: block.input });
      }
    }
  }
  return plain;
}

/** The same of an event of ours. */
export function plainEvent(kind: TurnEvent["kind"]): PlainEvent[] {
  if (kind.case === "text") return [{ text: kind.value.text }];
  if (kind.case !== "tool") return [];
  const { toolId, name, inputJson } = kind.value;
  return [{ id: toolId, name, input: JSON.parse(inputJson) }];
}
