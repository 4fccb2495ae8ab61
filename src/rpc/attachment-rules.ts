import { z } from "zod";
import { imageTypeOf, isModelImage, MODEL_IMAGES } from "./image-format.ts";

const MAX_ATTACHMENTS = 20;
const NAME_BYTES = 255;
/** The model's API takes 5 MB of base64. */
const IMAGE_BYTES = 3_932_160;
/** Anything that is no printable part of a name, or turns the writing around. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const MEDIA_TYPE_ERROR = "must be a media type without parameters: text/plain";
/** Two names of RFC 6838, 4.2. */
const MEDIA_TYPE_LENGTH = 255;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;

const name = z
  .string()
  // Nothing else is tried on a longer one: to fold a letter with a million accents takes minutes.
  .refine((text) => Buffer.byteLength(text) <= NAME_BYTES, {
    abort: true,
    error: `must have at most ${NAME_BYTES} bytes of UTF-8`,
  })
  .refine((text) => text !== "" && text !== "." && text !== "..", "must be the name of a file")
  .refine((text) => !/[/\\]/.test(text), "must have no path: no / and no \\")
  .refine((text) => !INVISIBLE.test(text), "must have no control or format characters")
  .refine((text) => text.isWellFormed(), "must not contain a lone surrogate");

const mediaType = z
  .string()
  .max(MEDIA_TYPE_LENGTH, { abort: true, error: MEDIA_TYPE_ERROR })
  .transform((text) => text.toLowerCase())
  .refine((text) => MEDIA_TYPE.test(text), MEDIA_TYPE_ERROR)
  .refine(
    (text) => !text.startsWith("image/") || isModelImage(text),
    `must be, of images, one that the model takes: ${MODEL_IMAGES.join(", ")}`,
  );

const attachment = z
  .object({ name, mediaType, data: z.custom<Uint8Array>() })
  .superRefine(({ mediaType: type, data }, { addIssue }) => {
    if (!isModelImage(type)) return;
    const wrong = wrongImage(type, data);
    if (wrong !== undefined) addIssue({ code: "custom", path: ["data"], message: wrong });
  });

/**
 * The rules of a request's attachments.
 *
 * @param maxBytes - What they may have together.
 */
export function attachmentRules(maxBytes: number) {
  return z
    .array(attachment)
    .max(MAX_ATTACHMENTS, `must be at most ${MAX_ATTACHMENTS}`)
    .refine(
      (all) => all.reduce((sum, { data }) => sum + data.length, 0) <= maxBytes,
      `must have at most ${maxBytes} bytes together`,
    )
    .superRefine((all, { addIssue }) => {
      const seen = new Set<string>();
      for (const [index, { name }] of all.entries()) {
        const same = folded(name);
        if (seen.has(same)) {
          const message = "must be unique in the request";
          addIssue({ code: "custom", path: [index, "name"], message });
        }
        seen.add(same);
      }
    });
}

/** The same for names that a file system may take for one; by upper case too, which also makes one of `ß` and `ss`. */
function folded(name: string): string {
  return name.normalize("NFC").toLowerCase().toUpperCase().normalize("NFC");
}

/** A broken image in a conversation makes every later call of the model fail. */
function wrongImage(type: string, data: Uint8Array): string | undefined {
  if (data.length > IMAGE_BYTES) return `must have at most ${IMAGE_BYTES} bytes for an image`;
  const found = imageTypeOf(data);
  if (found === type) return undefined;
  return `must be ${type}, as its media type says, and is ${found ?? "none of the images that the model takes"}`;
}
