import type { AgentImage } from "../agent.ts";

/** A block of a message to the model, as its API has it. */
type ContentBlock =
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "image";
      readonly source: {
        readonly type: "base64";
        readonly media_type: string;
        readonly data: string;
      };
    };

/**
 * The blocks of a message to the CLI.
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
): ContentBlock[] {
  const list = files.map((path) => `- ${path}`).join("\n");
  const told = `Files that came with this message, in the working directory:\n${list}`;
  return [
    { type: "text", text: prompt },
    ...images.map(imageBlock),
    ...(files.length === 0 ? [] : [{ type: "text", text: told } as const]),
    { type: "text", text: "" },
  ];
}

function imageBlock({ mediaType, data }: AgentImage): ContentBlock {
  const base64 = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { type: "image", source: { type: "base64", media_type: mediaType, data: base64 } };
}
