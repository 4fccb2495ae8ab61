import type { ImageLimits } from "./capabilities.ts";

/** What is wrong with an image for an agent, and in which of its fields. */
export interface ImageViolation {
  readonly field: "mediaType" | "data";
  /** What would be right, to stand behind the field's name. */
  readonly description: string;
}

/** How each begins: PNG 1.2 (3.1), JPEG (ISO 10918-1, B.1.1.3), GIF 87a and 89a, WebP (RFC 9649, 2.4). */
const SIGNATURES: readonly (readonly [type: string, pattern: RegExp])[] = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF.{4}WEBP/s],
];

/**
 * Why an agent does not take an image. Undefined: it does, and the image begins as its type does, as far as that is known
 * here: a broken image in a conversation makes every later call of the model fail.
 *
 * @param image - Its media type in lower case, and its bytes.
 */
export function imageViolation(
  { mediaTypes, maxBytes }: ImageLimits,
  { mediaType, data }: { readonly mediaType: string; readonly data: Uint8Array },
): ImageViolation | undefined {
  if (!mediaTypes.includes(mediaType)) {
    const description = `must be, of images, one that the agent takes: ${mediaTypes.join(", ")}`;
    return { field: "mediaType", description };
  }
  if (data.length > maxBytes) {
    return { field: "data", description: `must have at most ${maxBytes} bytes for an image` };
  }
  const found = imageTypeOf(data);
  const isKnown = SIGNATURES.some(([type]) => type === mediaType);
  if (found === mediaType || (found === undefined && !isKnown)) return undefined;
  const what = found ?? "none of the images that are known here";
  return {
    field: "data",
    description: `must be ${mediaType}, as its media type says, and is ${what}`,
  };
}

/** What an image is by its first bytes; undefined where it is none of `SIGNATURES`. */
function imageTypeOf(data: Uint8Array): string | undefined {
  const beginning = Buffer.from(data.subarray(0, 16)).toString("latin1");
  return SIGNATURES.find(([, pattern]) => pattern.test(beginning))?.[0];
}
