/** The images that the model takes. */
export const MODEL_IMAGES = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;

/** Whether the model takes images of this type. */
export function isModelImage(mediaType: string): boolean {
  return (MODEL_IMAGES as readonly string[]).includes(mediaType);
}

/** How each begins: PNG 1.2 (3.1), JPEG (ISO 10918-1, B.1.1.3), GIF 87a and 89a, WebP (RFC 9649, 2.4). */
const SIGNATURES: readonly (readonly [type: (typeof MODEL_IMAGES)[number], pattern: RegExp])[] = [
  ["image/png", /^\x89PNG\r\n\x1a\n/],
  ["image/jpeg", /^\xff\xd8\xff/],
  ["image/gif", /^GIF8[79]a/],
  ["image/webp", /^RIFF.{4}WEBP/s],
];

/** What an image is by its first bytes; undefined where it is none of `MODEL_IMAGES`. */
export function imageTypeOf(data: Uint8Array): string | undefined {
  const beginning = Buffer.from(data.subarray(0, 16)).toString("latin1");
  return SIGNATURES.find(([, pattern]) => pattern.test(beginning))?.[0];
}
