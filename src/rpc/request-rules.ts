import { durationMs } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import { Refusal } from "../errors.ts";

/** Every rule of every request stands here, with the words that a caller who breaks it reads. */

const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be a UUID")
  .transform((id) => id.toLowerCase());

const optionalUuid = z.union([z.literal(""), uuid], { error: "must be empty or a UUID" });

const name = z
  .string()
  .max(256, "must have at most 256 characters")
  .regex(
    /^([A-Za-z0-9._:/@][A-Za-z0-9._:/@-]*)?$/,
    "must be of [A-Za-z0-9._:/@-] and not begin with -",
  );

const wellFormed = (text: string) => text.isWellFormed();

function prompt(maxBytes: number) {
  return z
    .string()
    .refine((text) => text.trim() !== "", "must not be empty")
    .refine((text) => !text.includes("\0"), "must not contain NUL")
    .refine(wellFormed, "must not contain a lone surrogate")
    .refine(
      (text) => Buffer.byteLength(text) <= maxBytes,
      `must have at most ${maxBytes} bytes of UTF-8`,
    );
}

const timeout = z
  .custom<Parameters<typeof durationMs>[0]>()
  .optional()
  .refine(
    (duration) =>
      duration === undefined ||
      durationMs(duration) > 0 ||
      (duration.seconds === 0n && duration.nanos > 0),
    "must be more than 0",
  )
  // The shortest that there is, where milliseconds would make nothing of it.
  .transform((duration) => duration && Math.max(1, durationMs(duration)));

const pageSize = z.number().min(0, "must not be negative");

/** The rules of `RunTurnRequest`. */
export function runTurnRules(maxPromptBytes: number) {
  return z.object({
    sessionId: optionalUuid,
    prompt: prompt(maxPromptBytes),
    model: name,
    agent: name,
    requestId: optionalUuid,
    timeout,
  });
}

/** The rules of `AttachTurnRequest`; the turn's last sequence is checked where it is known. */
export const attachTurnRules = z.object({ turnId: uuid, afterSequence: z.number() });

/** The rules of requests for one turn. */
export const turnRules = z.object({ turnId: uuid });

/** The rules of requests for one session. */
export const sessionRules = z.object({ sessionId: uuid });

/** The rules of `ListTurnsRequest`. */
export const listTurnsRules = z.object({ sessionId: uuid, pageSize, pageToken: z.string() });

/** The rules of `ListSessionsRequest`. */
export const listSessionsRules = z.object({ pageSize, pageToken: z.string() });

/**
 * Holds a request against its rules.
 *
 * @throws Refusal INVALID_ARGUMENT that names every field to mend.
 */
export function validate<S extends z.ZodType>(rules: S, request: z.input<S>): z.output<S> {
  const parsed = rules.safeParse(request);
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map((issue) => ({
    field: protoName(String(issue.path[0] ?? "")),
    description: issue.message,
  }));
  const message = violations.map(({ field, description }) => `${field} ${description}`).join("; ");
  throw new Refusal("INVALID_ARGUMENT", message, { violations });
}

function protoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
