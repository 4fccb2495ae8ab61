/** The `stream_event` line of an event of the model's API. */
export function streamLine(event: object, more: object = {}) {
  return { type: "stream_event", event, parent_tool_use_id: null, ...more };
}

/** The lines that the CLI prints of the events of one message of the model. */
export function begin(id: string, more: object = {}) {
  return streamLine({ type: "message_start", message: { id } }, more);
}

/** A block of a message begins. */
export function open(index: number, type = "text", more: object = {}) {
  const content_block = type === "text" ? { type, text: "" } : { type };
  return streamLine({ type: "content_block_start", index, content_block }, more);
}

/** A piece of prose. */
export function piece(index: number, text: unknown, more: object = {}) {
  const delta = { type: "text_delta", text };
  return streamLine({ type: "content_block_delta", index, delta }, more);
}

/** A block of a message ends. */
export function close(index: number) {
  return streamLine({ type: "content_block_stop", index });
}
