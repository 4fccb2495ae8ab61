import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { z } from "zod";
import type {
  ResolveApprovalRequest,
  ShareSessionRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ShareAccess } from "../../gen/breakglass/v1/session_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../errors.ts";
import { ROLES as ROLE_NAMES } from "../identity/caller.ts";
import type { Grantee, SharedAccess } from "../store/views.ts";
import type { ApprovalAnswer } from "../turn-requests.ts";
import { attachmentRules } from "./attachment-rules.ts";
import { isJsonObject } from "./json-object.ts";
import { ROLES } from "./resources.ts";

/** Every rule of every request stands here, with the words that a caller who breaks it reads. */

const uuid = z
  .string()
  .regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, "must be a UUID")
  .transform((id) => id.toLowerCase());

const optionalUuid = z.union([z.literal(""), uuid], { error: "must be empty or a UUID" });

const name = z
  .string()
  .max(256, { abort: true, error: "must have at most 256 characters" })
  .regex(
    /^([A-Za-z0-9._:/@][A-Za-z0-9._:/@-]*)?$/,
    "must be of [A-Za-z0-9._:/@-] and not begin with -",
  );

const isPrincipal = (text: string) => /^[^\s\p{Cc}]{1,256}$/u.test(text) && text.isWellFormed();

const sessionPrincipal = z
  .string()
  .refine((text) => text === "" || isPrincipal(text), "must be empty or a principal's name");

/** Of a request that may name a session, or none. */
const hasItsSession = (request: { sessionId: string; sessionPrincipal: string }) =>
  request.sessionPrincipal === "" || request.sessionId !== "";
const SESSION_MISSING = { path: ["sessionPrincipal"], error: "takes a session_id" };

const wellFormed = (text: string) => text.isWellFormed();

/** What requests may hold. */
export interface RequestLimits {
  readonly maxPromptBytes: number;
  /** All attachments of a request together. */
  readonly maxAttachmentBytes: number;
}

/** What a message of SteerTurn may have, in UTF-8. */
export const STEER_BYTES = 64 * 1024;
/** Of a request in which everything is wrong so many are told: the answer goes into headers. */
const MAX_VIOLATIONS = 20;
const DENIAL_BYTES = 16 * 1024;
/** What a changed input of ResolveApproval may have, in UTF-8. */
export const INPUT_BYTES = 1024 * 1024;

/** First of all rules, so that none of the others is tried on a text that is too long. */
function textOf(maxBytes: number) {
  return z.string().refine((text) => Buffer.byteLength(text) <= maxBytes, {
    abort: true,
    error: `must have at most ${maxBytes} bytes of UTF-8`,
  });
}

/** What goes to the agent, literally. */
function words(maxBytes: number) {
  return textOf(maxBytes)
    .refine((text) => text.trim() !== "", "must not be empty")
    .refine((text) => !text.includes("\0"), "must not contain NUL")
    .refine(wellFormed, "must not contain a lone surrogate");
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

const maxCostUsd = z
  .custom<number>()
  .refine((usd) => Number.isFinite(usd) && usd >= 0, "must be a number of US dollars, 0 or more");

const pageSize = z.number().min(0, "must not be negative");

const permissionMode = z.custom<PermissionMode>(
  (mode) => Object.values<unknown>(PermissionMode).includes(mode),
  "must be BYPASS, ASK or unspecified",
);

function isTurnState(value: unknown): boolean {
  return Object.values<unknown>(TurnState).includes(value);
}

/** What `runTurnRules` answers. */
export type RunTurnRules = ReturnType<typeof runTurnRules>;

/** The rules of `RunTurnRequest`. */
export function runTurnRules({ maxPromptBytes, maxAttachmentBytes }: RequestLimits) {
  return z
    .object({
      sessionId: optionalUuid,
      sessionPrincipal,
      prompt: words(maxPromptBytes),
      model: name,
      agent: name,
      agentKind: name,
      requestId: optionalUuid,
      timeout,
      textDeltas: z.boolean(),
      recall: z.boolean(),
      maxCostUsd,
      maxModelTurns: z.number(),
      permissionMode,
      attachments: attachmentRules(maxAttachmentBytes),
    })
    .refine(hasItsSession, SESSION_MISSING);
}

/** The rules of `AttachTurnRequest`; the turn's last sequence is checked where it is known. */
export const attachTurnRules = z.object({
  turnId: uuid,
  afterSequence: z.number(),
  textDeltas: z.boolean(),
});

/** The rules of `SteerTurnRequest`. */
export const steerTurnRules = z.object({
  turnId: uuid,
  message: words(STEER_BYTES),
  requestId: optionalUuid,
});

const denial = textOf(DENIAL_BYTES).refine(wellFormed, "must not contain a lone surrogate");

const changedInput = textOf(INPUT_BYTES)
  .refine(wellFormed, "must not contain a lone surrogate")
  .refine(isJsonObject, "must be a JSON object");

/** A member of the oneof by itself: `allow.input_json` is its field, and not `decision`. */
const decision = z
  .custom<ResolveApprovalRequest["decision"]>()
  .transform(({ case: member, value }, { issues, addIssue }): ApprovalAnswer => {
    const rule = member === "allow" ? changedInput.optional() : denial;
    const given = member === "allow" ? value.inputJson : value?.message;
    const field = member === "allow" ? "inputJson" : "message";
    if (member === undefined) addIssue("must be allow or deny");
    for (const issue of (member && rule.safeParse(given).error?.issues) ?? []) {
      issues.push({
        code: "custom",
        message: issue.message,
        input: given,
        path: [String(member), field],
      });
    }
    if (member !== "allow") return { allow: false, message: given ?? "" };
    return given === undefined ? { allow: true } : { allow: true, inputJson: given };
  });

/** The rules of `ResolveApprovalRequest`; the answer comes out as the agent takes it. */
export const resolveApprovalRules = z.object({ turnId: uuid, approvalId: uuid, decision });

/** The rules of `WatchSessionRequest`. */
export const watchSessionRules = z.object({
  sessionId: uuid,
  sessionPrincipal,
  afterCursor: z
    .bigint()
    .max(BigInt(Number.MAX_SAFE_INTEGER), "must be a cursor of this session")
    .transform(Number),
});

/** The rules of requests for one turn. */
export const turnRules = z.object({ turnId: uuid });

/** The rules of requests for one session. */
export const sessionRules = z.object({ sessionId: uuid, sessionPrincipal });

/** A member of the oneof by itself, as `decision`. */
const grantee = z
  .custom<ShareSessionRequest["with"]>()
  .transform((sent, { issues, addIssue }): Grantee => {
    const { case: kind, value } = sent?.grantee ?? { case: undefined };
    const refuse = (path: string, message: string) =>
      issues.push({ code: "custom", message, input: sent, path: [path] });
    if (kind === "principal") {
      if (!isPrincipal(value)) refuse(kind, "must be a principal's name, without spaces");
      return { kind, name: value };
    }
    const role = ROLE_NAMES.find((name) => ROLES[name] === value);
    if (kind === undefined) addIssue("must be a principal or a role");
    else if (role === undefined) refuse(kind, "must be a role");
    return { kind: "role", name: role ?? "" };
  });

const access = z.custom<ShareAccess>().transform((sent, { addIssue }): SharedAccess => {
  if (sent === ShareAccess.OPERATE) return "operate";
  if (sent !== ShareAccess.READ) addIssue("must be READ or OPERATE");
  return "read";
});

/** The rules of `ShareSessionRequest`. */
export const shareSessionRules = z.object({
  sessionId: uuid,
  sessionPrincipal,
  with: grantee,
  access,
});

/** The rules of `UnshareSessionRequest`. */
export const unshareSessionRules = z.object({ sessionId: uuid, sessionPrincipal, with: grantee });

const timestamp = z
  .custom<Parameters<typeof timestampMs>[0]>()
  .optional()
  .transform((time) => time && timestampMs(time));

/** What a text that is looked for may have, in UTF-8. */
export const QUERY_BYTES = 256;
/** As long as any that authentication gives. */
const PRINCIPAL_BYTES = 1024;

/** Which turns are listed or watched. */
const turnFilterRules = {
  sessionId: optionalUuid,
  sessionPrincipal,
  states: z
    .array(
      z
        .custom<TurnState>(isTurnState, "must be a state of a turn")
        .refine((state) => state !== TurnState.UNSPECIFIED, "must not be unspecified"),
    )
    .transform((states) => [...new Set(states)].toSorted((one, other) => one - other)),
  since: timestamp,
  until: timestamp,
  principal: textOf(PRINCIPAL_BYTES)
    .refine(wellFormed, "must not contain a lone surrogate")
    .transform((principal) => principal || undefined),
  origin: z
    .custom<TurnOrigin>(
      (origin) => Object.values<unknown>(TurnOrigin).includes(origin),
      "must be CALLER, AGENT or unspecified",
    )
    .transform((origin) => origin || undefined),
  query: textOf(QUERY_BYTES)
    .refine(wellFormed, "must not contain a lone surrogate")
    .refine((text) => !text.includes("\0"), "must not contain NUL")
    .transform((text) => text || undefined),
};

/** The rules of `ListTurnsRequest`. */
export const listTurnsRules = z
  .object({ ...turnFilterRules, pageSize, pageToken: z.string() })
  .refine(hasItsSession, SESSION_MISSING);

/** The rules of `WatchTurnsRequest`. */
export const watchTurnsRules = z
  .object({
    ...turnFilterRules,
    afterCursor: z
      .bigint()
      .max(BigInt(Number.MAX_SAFE_INTEGER), "must be a cursor of such a stream")
      .transform(Number),
  })
  .refine(hasItsSession, SESSION_MISSING);

/** The rules of `ListApprovalsRequest`. */
export const listApprovalsRules = z.object({ pageSize, pageToken: z.string() });

/** The rules of `ExportAuditRequest`. */
export const exportAuditRules = z.object({
  afterSequence: z
    .bigint()
    .refine((value) => BigInt.asIntN(54, value) === value, "must be a sequence of this audit")
    .transform(Number),
  follow: z.boolean(),
});

/** The rules of `ListSessionsRequest`. */
export const listSessionsRules = z.object({ pageSize, pageToken: z.string() });

/**
 * Holds a request against its rules.
 *
 * @throws Refusal INVALID_ARGUMENT that names the fields to mend, at most `MAX_VIOLATIONS` of them.
 */
export function validate<S extends z.ZodType>(rules: S, request: z.input<S>): z.output<S> {
  const parsed = rules.safeParse(request);
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.slice(0, MAX_VIOLATIONS).map((issue) => ({
    field: fieldOf(issue.path),
    description: issue.message,
  }));
  const message = violations.map(({ field, description }) => `${field} ${description}`).join("; ");
  throw new Refusal("INVALID_ARGUMENT", message, { violations });
}

/** Such as `attachments[1].name`; a member of a oneof has no other name before its own. */
function fieldOf(path: readonly PropertyKey[]): string {
  const inOneof = path[0] === "decision" && path.length > 1;
  return path
    .slice(inOneof ? 1 : 0)
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${protoName(String(part))}`))
    .join("")
    .slice(1);
}

function protoName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
