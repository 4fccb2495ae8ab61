import type { AgentImage } from "../agent.ts";
import { promptContent } from "./prompt-content.ts";

/**
 * The line that hands the CLI a prompt, or a further message.
 *
 * @param uuid - What the CLI names the message by when it echoes it.
 */
export function userMessage(
  uuid: string,
  prompt: string,
  images: readonly AgentImage[] = [],
  files: readonly string[] = [],
): string {
  const content = promptContent(prompt, images, files);
  const id = JSON.stringify(uuid);
  return `{"type":"user","uuid":${id},"message":{"role":"user","content":${content}}}\n`;
}

/** What the CLI can be asked to do beside taking messages. */
export type Control =
  | { readonly subtype: "initialize" }
  | { readonly subtype: "get_context_usage" }
  | { readonly subtype: "get_usage"; readonly skip_behaviors: true; readonly detached: boolean }
  | { readonly subtype: "interrupt" }
  | { readonly subtype: "cancel_async_message"; readonly message_uuid: string };

/** The line that asks for it; the answer carries the id. */
export function controlRequest(id: string, request: Control): string {
  return `${JSON.stringify({ type: "control_request", request_id: id, request })}\n`;
}

/** The line that lets a tool be called. `inputJson` is a JSON object, and goes in as it is written, but for line breaks. */
export function allowResponse(requestId: string, inputJson: string): string {
  const id = JSON.stringify(requestId);
  // Unescaped they are only white space in JSON; left in, what follows one would be a line of its own to the CLI.
  const input = onOneLine(inputJson);
  return `{"type":"control_response","response":{"subtype":"success","request_id":${id},"response":{"behavior":"allow","updatedInput":${input}}}}\n`;
}

/** By bytes: of a MiB of line breaks a regular expression takes a quarter of a second. */
function onOneLine(json: string): string {
  const bytes = Buffer.from(json);
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0x0a || bytes[at] === 0x0d) bytes[at] = 0x20;
  }
  return bytes.toString();
}

/** The line that denies a tool its call; the model reads the message. */
export function denyResponse(requestId: string, message: string): string {
  const response = { behavior: "deny", message };
  const answer = { subtype: "success", request_id: requestId, response };
  return `${JSON.stringify({ type: "control_response", response: answer })}\n`;
}

/** The line that answers a request that this adapter does not know. */
export function unknownResponse(requestId: string, subtype: string): string {
  const error = `${subtype} is not supported`;
  const response = { subtype: "error", request_id: requestId, error };
  return `${JSON.stringify({ type: "control_response", response })}\n`;
}
