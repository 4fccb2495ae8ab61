import type { AgentImage } from "../agent.ts";

/**
 * The blocks of a message to the CLI, as its API has them: a list in JSON.
 *
 * The CLI looks for commands (`/cost`) and files (`@path`) in the last block of text only, and leaves an empty one out of
 * what it sends to the model (measured on 2.1.197 and 2.1.330): with an empty one behind everything a prompt is literal,
 * to the byte.
 *
 * @param files - Where in the workspace files that came with the prompt lie; the agent is told.
 */
export function promptContent(
  prompt: string,
  images: readonly AgentImage[],
  files: readonly string[],
): string {
  const list = files.map((path) => `- ${path}`).join("\n");
  const told = `Files that came with this message, in the working directory:\n${list}`;
  const blocks = [
    textBlock(prompt),
    ...images.map(imageBlock),
    ...(files.length === 0 ? [] : [textBlock(told)]),
    textBlock(""),
  ];
  return `[${blocks.join()}]`;
}

function textBlock(text: string): string {
  return JSON.stringify({ type: "text", text });
}

/** Base64 is put in as it is: to look for what is to be escaped in it would hold everyone up, of 10 MB for 20 ms. */
function imageBlock({ mediaType, data }: AgentImage): string {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return `{"type":"image","source":{"type":"base64","media_type":${JSON.stringify(mediaType)},"data":"${base64}"}}`;
}
