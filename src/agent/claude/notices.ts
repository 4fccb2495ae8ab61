import type { z } from "zod";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import { label, noticeEvent } from "../events.ts";
import { withAdvice, withNoAnswerAdvice } from "./advice.ts";
import * as messages from "./messages.ts";
import { toDuration, toInt32, toUint32 } from "./numbers.ts";

/** So much of the end of a hook's stderr is told. */
const STDERR_LENGTH = 1000;

/** A kind of line that says all it has to say in at most one notice: its schema, and the notice. */
export interface NoticeKind {
  readonly schema: z.ZodType;
  notice(message: unknown): EventKind | undefined;
}

/** The kinds of `system` lines that are notices, by subtype. */
export const SYSTEM_NOTICES: ReadonlyMap<string, NoticeKind> = new Map([
  ["api_retry", kind(messages.apiRetry, apiRetry)],
  ["model_refusal_no_fallback", kind(messages.modelRefusal, modelRefusal)],
  ["model_refusal_fallback", kind(messages.modelFallback, modelFallback)],
  ["model_fallback", kind(messages.modelFallback, modelFallback)],
  ["model_consent_fallback", kind(messages.modelFallback, modelFallback)],
  ["task_started", kind(messages.taskStarted, taskStarted)],
  ["task_notification", kind(messages.taskEnded, taskEnded)],
  ["hook_response", kind(messages.hookResponse, hookResponse)],
  ["permission_denied", kind(messages.permissionDenied, permissionDenied)],
  ["informational", kind(messages.informational, informational)],
  ["local_command_output", kind(messages.informational, localCommandOutput)],
]);

/** `rate_limit_event`, a type of its own. */
export const RATE_LIMIT: NoticeKind = kind(messages.rateLimit, rateLimit);

function kind<S extends z.ZodType>(
  schema: S,
  notice: (message: z.output<S>) => EventKind | undefined,
): NoticeKind {
  return { schema, notice: notice as NoticeKind["notice"] };
}

function apiRetry(message: z.output<typeof messages.apiRetry>): EventKind {
  const attempt = toUint32(message.attempt);
  const maxAttempts = toUint32(message.max_retries);
  const delay = toDuration(message.retry_delay_ms);
  const httpStatus = toInt32(message.error_status);
  const what = httpStatus === 0 ? "did not answer" : `answered ${httpStatus}`;
  const why = message.error && message.error !== "unknown" ? ` (${message.error})` : "";
  const when = message.retry_delay_ms ? ` in ${(message.retry_delay_ms / 1000).toFixed(1)} s` : "";
  const of = maxAttempts === 0 ? "" : ` of ${maxAttempts}`;
  const text = `The model's API ${what}${why}; trying again${when} (attempt ${attempt}${of})`;
  const details = { attempt, maxAttempts, httpStatus, ...(delay && { delay }) };
  // Ten retries take three minutes: the advice is wanted at the first, and no further nine times.
  const advised = () =>
    httpStatus === 0 && why === "" ? withNoAnswerAdvice(text) : withAdvice(text, message.error);
  const told = attempt > 1 ? text : advised();
  return noticeEvent(NoticeReason.API_RETRY, told, details);
}

function modelRefusal(message: z.output<typeof messages.modelRefusal>): EventKind {
  const category = message.api_refusal_category ? ` (${message.api_refusal_category})` : "";
  const why = message.api_refusal_explanation || message.content;
  const text = `${message.original_model ?? "The model"} declined to answer${category}${why ? `: ${why}` : ""}`;
  const advice = "Put the prompt differently in a new session, or ask for another model.";
  return noticeEvent(NoticeReason.MODEL_REFUSAL, `${text}\n${advice}`);
}

function modelFallback(message: z.output<typeof messages.modelFallback>): EventKind {
  const { original_model: from, fallback_model: to, trigger, content } = message;
  const why = trigger ? ` (${trigger})` : "";
  const text = `Going on with ${to ?? "another model"} instead of ${from ?? "the one asked for"}${why}`;
  return noticeEvent(NoticeReason.MODEL_FALLBACK, content ? `${text}: ${content}` : text);
}

function taskStarted(message: z.output<typeof messages.taskStarted>): EventKind | undefined {
  if (message.skip_transcript || message.ambient) return undefined;
  const who = message.subagent_type ? ` (${message.subagent_type})` : "";
  return noticeEvent(NoticeReason.TASK_STARTED, `Task started${who}: ${message.description}`);
}

function taskEnded(message: z.output<typeof messages.taskEnded>): EventKind | undefined {
  if (message.skip_transcript || message.ambient) return undefined;
  const summary = message.summary ? `: ${message.summary}` : "";
  return noticeEvent(NoticeReason.TASK_ENDED, `Task ${message.status}${summary}`);
}

/** What comes up in an operator's own settings and fails there would else be silent. */
function hookResponse(message: z.output<typeof messages.hookResponse>): EventKind | undefined {
  const { hook_name, hook_event, exit_code, outcome, stderr } = message;
  const isFine = outcome == null || outcome === "success";
  if (isFine && !exit_code) return undefined;
  const name = label(hook_name || hook_event) || "without a name";
  const how = exit_code ? `exit code ${exit_code}` : label(outcome);
  const said = (stderr ?? "").trim().slice(-STDERR_LENGTH);
  const text = `The hook ${name} failed (${how})${said ? `: ${said}` : ""}`;
  return noticeEvent(NoticeReason.AGENT_WARNING, text);
}

function permissionDenied(message: z.output<typeof messages.permissionDenied>): EventKind {
  const why = message.message ? `: ${message.message}` : "";
  return noticeEvent(
    NoticeReason.PERMISSION_DENIED,
    `${message.tool_name} was not allowed to run${why}`,
  );
}

function informational(message: z.output<typeof messages.informational>): EventKind | undefined {
  const { content } = message;
  if (message.model_restriction) return noticeEvent(NoticeReason.MODEL_FALLBACK, content);
  return message.level === "warning" ? noticeEvent(NoticeReason.AGENT_WARNING, content) : undefined;
}

function localCommandOutput(message: z.output<typeof messages.informational>): EventKind {
  return noticeEvent(NoticeReason.AGENT_WARNING, message.content);
}

function rateLimit(message: z.output<typeof messages.rateLimit>): EventKind | undefined {
  const { status, rateLimitType, resetsAt } = message.rate_limit_info;
  if (status === "allowed") return undefined;
  const what = status === "rejected" ? "is reached" : "is near";
  const which = rateLimitType ? ` (${rateLimitType})` : "";
  const reset = new Date((resetsAt ?? Number.NaN) * 1000);
  const when = Number.isNaN(reset.getTime()) ? "" : `; it resets at ${reset.toISOString()}`;
  return noticeEvent(
    NoticeReason.RATE_LIMIT,
    `The account's rate limit ${what}: ${status}${which}${when}`,
  );
}
