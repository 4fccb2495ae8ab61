import { z } from "zod";

/** How many a request may have. */
export const MAX_ATTACHMENTS = 20;
const NAME_BYTES = 255;
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
  .refine((text) => MEDIA_TYPE.test(text), MEDIA_TYPE_ERROR);

const attachment = z.object({ name, mediaType, data: z.custom<Uint8Array>() });

/**
 * The rules of a request's attachments, but for those that the turn's agent has of images.
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
