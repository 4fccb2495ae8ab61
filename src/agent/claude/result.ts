import type { PermissionDenial, ResultEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import { label } from "./events.ts";
import { ExactJson } from "./exact-json.ts";
import { MAX_ENTRIES } from "./malformed.ts";
import { permissionDenial, type ResultMessage } from "./messages.ts";
import { toDuration, toFinite, toInt32, toUint32 } from "./numbers.ts";
import { usageOf } from "./token-count.ts";

/**
 * The `result` event's value.
 *
 * @param line - The whole line, for the numbers in its JSON parts.
 */
export function resultEvent(message: ResultMessage, line: string): ResultEvent {
  const duration = toDuration(message.duration_ms);
  const json = new ExactJson(line);
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
    totalCostUsd: toFinite(message.total_cost_usd),
    permissionDenials: denials(refused.slice(0, MAX_ENTRIES), json),
    ...(message.api_error_status != null && {
      apiErrorStatus: toInt32(message.api_error_status),
    }),
    structuredOutputJson: output.json,
    truncated: output.truncated || refused.length > MAX_ENTRIES,
    totalBytes: 0n,
  };
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

function errorsOf(message: ResultMessage): string[] {
  return (message.errors ?? []).filter((error) => typeof error === "string");
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
