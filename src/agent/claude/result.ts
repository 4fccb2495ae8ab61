import { durationMs } from "@bufbuild/protobuf/wkt";
import type { PermissionDenial, ResultEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import { label } from "../events.ts";
import type { ExactJson } from "./exact-json.ts";
import { MAX_ENTRIES } from "./malformed.ts";
import { permissionDenial, type ResultMessage } from "./messages.ts";
import { toDuration, toInt32, toUint32 } from "./numbers.ts";
import { addUsages, usageOf } from "./token-count.ts";

/**
 * The `result` event's value.
 *
 * @param json - Of the whole line, for the numbers in its JSON parts.
 * @param costUsd - What this result cost by itself.
 */
export function resultEvent(message: ResultMessage, json: ExactJson, costUsd: number): ResultEvent {
  const duration = toDuration(message.duration_ms);
  const output = json.textOf(message.structured_output, ["structured_output"]);
  const refused = message.permission_denials ?? [];
  return {
    $typeName: "breakglass.v1.ResultEvent",
    // Neither says it alone: API errors have the subtype "success", and limits need not set `is_error`.
    isError: Boolean(message.is_error) || message.subtype !== "success",
    result: textOf(message).toWellFormed(),
    ...(duration && { duration }),
    numTurns: toUint32(message.num_turns),
    stopReason: label(message.stop_reason),
    ...(message.usage && { usage: usageOf(message.usage) }),
    totalCostUsd: costUsd,
    permissionDenials: denials(refused.slice(0, MAX_ENTRIES), json),
    ...(message.api_error_status != null && {
      apiErrorStatus: toInt32(message.api_error_status),
    }),
    structuredOutputJson: output.json,
    truncated: output.truncated || refused.length > MAX_ENTRIES,
    totalBytes: 0n,
  };
}

/** What such denials may hold that are kept until the turn's last result, in characters, and how many they may be. */
const KEPT_DENIALS = { length: 64 * 1024, count: 1000 };

/** What is kept of a result that more is to come behind: its words were streamed as text. */
export function earlierResult(result: ResultEvent): ResultEvent {
  let length = 0;
  const permissionDenials = result.permissionDenials.slice(0, KEPT_DENIALS.count).map((denial) => {
    length += denial.inputJson.length;
    return length > KEPT_DENIALS.length ? { ...denial, inputJson: "" } : denial;
  });
  return { ...result, result: "", structuredOutputJson: "", permissionDenials };
}

/** A result that follows another of the same turn: what that spent, and what was denied to it, is the turn's. */
export function addResults(earlier: ResultEvent, last: ResultEvent): ResultEvent {
  const all = [earlier, last];
  const durations = all.flatMap(({ duration }) => duration ?? []);
  const usages = all.flatMap(({ usage }) => usage ?? []);
  return {
    ...last,
    ...(durations.length > 0 && { duration: toDuration(sum(durations.map(durationMs))) }),
    numTurns: toUint32(sum(all.map(({ numTurns }) => numTurns))),
    ...(usages.length > 0 && { usage: addUsages(usages) }),
    totalCostUsd: sum(all.map(({ totalCostUsd }) => totalCostUsd)),
    permissionDenials: all.flatMap(({ permissionDenials }) => permissionDenials),
  } as ResultEvent;
}

/** Whether a result says that the agent stopped because it was asked to. Measured on 2.1.197 and 2.1.330. */
export function isAborted(message: ResultMessage): boolean {
  const { subtype, terminal_reason } = message;
  return subtype === "error_during_execution" || terminal_reason?.startsWith("aborted") === true;
}

/** Whether the CLI refused to go on with a conversation that it does not have. Measured on 2.1.197 and 2.1.330. */
export function isConversationUnknown(message: ResultMessage): boolean {
  return errorsOf(message).some((error) =>
    error.startsWith("No conversation found with session ID"),
  );
}

/** What the agent said last; for the errors that have no `result`, what they say, and at the least their name. */
function textOf(message: ResultMessage): string {
  if (message.result) return message.result;
  return (
    errorsOf(message).join("\n") || (message.subtype === "success" ? "" : label(message.subtype))
  );
}

/** What is in `errors`, or else in `error`, in words. */
function errorsOf({ errors, error }: ResultMessage): string[] {
  const all = [errors].flat().slice(0, MAX_ENTRIES).flatMap(wordsOf);
  return all.length > 0 ? all : wordsOf(error);
}

/** What an error says, of whatever shape it is; none where it says nothing. */
function wordsOf(error: unknown): string[] {
  if (typeof error === "string") return error === "" ? [] : [error];
  if (typeof error !== "object" || error === null) return [];
  const { message, error: inner } = error as { message?: unknown; error?: unknown };
  if (typeof message === "string" && message !== "") return [message];
  if (typeof inner === "string" && inner !== "") return [inner];
  try {
    return [JSON.stringify(error)];
  } catch {
    return ["an error that is nested too deep to be shown"];
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

function denials(list: readonly unknown[], json: ExactJson): PermissionDenial[] {
  return list.flatMap((entry, i) => {
    const denial = permissionDenial.safeParse(entry).data;
    if (denial === undefined) return [];
    const input = json.textOf(denial.tool_input, ["permission_denials", i, "tool_input"]);
    return {
      $typeName: "breakglass.v1.PermissionDenial",
      toolId: label(denial.tool_use_id),
      name: label(denial.tool_name),
      inputJson: input.json,
    };
  });
}
