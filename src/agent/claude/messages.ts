import { z } from "zod";

/*
 * The lines that the CLI prints, as far as a turn is concerned. Written after the recorded runs of 2.1.197 and 2.1.330.
 * Fields that are not named here are skipped. What an event cannot do without is required; anything else may be missing
 * or have become something else, and is then as if it were not there: the CLI's next version must not break a turn.
 */

const maybeText = z.string().nullish().catch(undefined);
const maybeNumber = z.number().nullish().catch(undefined);

/** Tokens, of one message of the model or of a whole turn. */
export const usage = z.object({
  input_tokens: maybeNumber,
  output_tokens: maybeNumber,
  cache_read_input_tokens: maybeNumber,
  cache_creation_input_tokens: maybeNumber,
});
export type UsageCount = z.output<typeof usage>;

/** As it was parsed: to copy an object of hundreds of thousands of names takes seconds, and loses `__proto__`. */
const anyObject = z.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
);

/** A list, or what stands there in place of a list of one. */
const listOrOne = z
  .union([z.string(), z.array(z.unknown()), anyObject])
  .transform((value) => (typeof value === "object" && !Array.isArray(value) ? [value] : value));

/** `system/init`: the agent came up. Again at each turn that a process takes. */
export const init = z.object({
  session_id: z.string(),
  model: maybeText,
  claude_code_version: maybeText,
  // Of texts, but a list of millions of something else must not make as many issues.
  agents: z.array(z.unknown()).nullish().catch(undefined),
  mcp_servers: z.array(z.unknown()).nullish().catch(undefined),
});

/** `assistant`: one block of a message of the model, in the versions seen; more are possible. */
export const assistant = z.object({
  message: z.object({
    id: maybeText,
    model: maybeText,
    stop_reason: maybeText,
    content: listOrOne,
    usage: usage.nullish().catch(undefined),
  }),
  parent_tool_use_id: maybeText,
  session_id: maybeText,
  error: maybeText,
  is_api_error_message: z.boolean().nullish().catch(undefined),
  api_error_status: maybeNumber,
  local_command_source: maybeText,
});
export type AssistantMessage = z.output<typeof assistant>;

/** `user`: what the tools answered, and texts that the CLI puts into the conversation. */
export const user = z.object({
  message: z.object({ content: listOrOne }),
  parent_tool_use_id: maybeText,
  session_id: maybeText,
});
export type UserMessage = z.output<typeof user>;

/** A block of prose. */
export const textBlock = z.object({ text: z.string() });
/** A block of reasoning; empty where the model keeps it to itself. */
export const thinkingBlock = z.object({ thinking: z.string() });
/** A call of a tool. */
export const toolUseBlock = z.object({
  id: z.string(),
  name: z.string(),
  input: z.unknown().optional(),
});
/** What a tool answered. */
export const toolResultBlock = z.object({
  tool_use_id: z.string(),
  is_error: z.boolean().nullish().catch(undefined),
  // Whatever it is: the tool has ended.
  content: z.unknown().optional(),
});

/** A part of a tool's answer, or of such a part: text, data, what has others in it, or something that is only named. */
export const answerPart = z.object({
  type: maybeText,
  text: maybeText,
  title: maybeText,
  name: maybeText,
  tool_name: maybeText,
  url: maybeText,
  uri: maybeText,
  media_type: maybeText,
  mimeType: maybeText,
  data: maybeText,
  blob: maybeText,
  source: z.unknown().optional(),
  resource: z.unknown().optional(),
  content: z.unknown().optional(),
});
export type AnswerPart = z.output<typeof answerPart>;

/** `result`: the end of a turn. Nothing is required of it: whatever it looks like, the turn is over. */
export const result = z.object({
  subtype: maybeText,
  is_error: z.unknown().optional(),
  result: maybeText,
  // Texts in the versions seen.
  errors: z.unknown().optional(),
  error: z.unknown().optional(),
  duration_ms: maybeNumber,
  num_turns: maybeNumber,
  stop_reason: maybeText,
  usage: usage.nullish().catch(undefined),
  total_cost_usd: maybeNumber,
  permission_denials: z.array(z.unknown()).nullish().catch(undefined),
  api_error_status: maybeNumber,
  structured_output: z.unknown().optional(),
  terminal_reason: maybeText,
  // Whose work it ends, where it is not a prompt's: `task-notification`.
  origin: z.object({ kind: z.string() }).nullish().catch(undefined),
  // The messages of ours that it answers; 2.1.330.
  user_message_uuids: z.array(z.string()).nullish().catch(undefined),
  // By model, each a `modelUsage`; 2.1.330. `total_cost_usd` is what the whole conversation has cost.
  model_usage_since_last_result: anyObject.nullish().catch(undefined),
});
export type ResultMessage = z.output<typeof result>;

/** An entry of a result's `model_usage_since_last_result`. */
export const modelUsage = z.object({ costUSD: z.number().min(0) });

/** An entry of a result's `permission_denials`. */
export const permissionDenial = z.object({
  tool_name: maybeText,
  tool_use_id: maybeText,
  tool_input: z.unknown().optional(),
});

/** `stream_event`: an event of the model's API, as it came; what is skipped may be missing or of any shape. */
export const streamEvent = z.object({
  event: z.object({
    type: z.string(),
    index: z.number().nullish().catch(undefined),
    message: z.object({ id: maybeText }).nullish().catch(undefined),
    content_block: z.object({ type: maybeText, text: maybeText }).nullish().catch(undefined),
    delta: z.object({ type: maybeText, text: maybeText }).nullish().catch(undefined),
  }),
  parent_tool_use_id: maybeText,
  // Only 2.1.330 has these two.
  api_message_id: maybeText,
  abandoned_blocks: z.unknown().optional(),
});
export type StreamEvent = z.output<typeof streamEvent>;

/** `conversation_reset`: `/clear` and its like. */
export const conversationReset = z.object({ new_conversation_id: z.string() });

/** `rate_limit_event`. */
export const rateLimit = z.object({
  rate_limit_info: z.object({
    status: z.string(),
    rateLimitType: maybeText,
    resetsAt: maybeNumber,
  }),
});

/** `system/api_retry`. The delay is a float in 2.1.197. */
export const apiRetry = z.object({
  attempt: z.number(),
  max_retries: maybeNumber,
  retry_delay_ms: maybeNumber,
  error_status: maybeNumber,
  error: maybeText,
});

/** `system/model_refusal_no_fallback`. */
export const modelRefusal = z.object({
  original_model: maybeText,
  api_refusal_category: maybeText,
  api_refusal_explanation: maybeText,
  content: maybeText,
});

/** `system/model_fallback`, `model_refusal_fallback` and `model_consent_fallback`. */
export const modelFallback = z.object({
  trigger: maybeText,
  original_model: maybeText,
  fallback_model: maybeText,
  content: maybeText,
});

/** `system/status`. */
export const status = z.object({
  status: maybeText,
  compact_result: maybeText,
  compact_error: maybeText,
});

/** `system/task_started`: a subagent, or a command in the background. */
export const taskStarted = z.object({
  description: z.string(),
  subagent_type: maybeText,
  skip_transcript: z.boolean().nullish().catch(undefined),
  ambient: z.boolean().nullish().catch(undefined),
});

/** `system/task_notification`. */
export const taskEnded = z.object({
  status: z.string(),
  summary: maybeText,
  skip_transcript: z.boolean().nullish().catch(undefined),
  ambient: z.boolean().nullish().catch(undefined),
});

/** `system/task_updated`: what has changed of a task. */
export const taskUpdated = z.object({
  task_id: z.string(),
  patch: z.object({
    status: maybeText,
    is_backgrounded: z.boolean().nullish().catch(undefined),
  }),
});

/** An entry of an init's `mcp_servers`. */
export const mcpServer = z.object({ name: z.string(), status: z.string() });

/** `system/hook_response`: a command of the operator's own settings has run. */
export const hookResponse = z.object({
  hook_name: maybeText,
  hook_event: maybeText,
  exit_code: maybeNumber,
  outcome: maybeText,
  stderr: maybeText,
});

/** `system/permission_denied`. */
export const permissionDenied = z.object({ tool_name: z.string(), message: maybeText });

/** `system/informational` and `system/local_command_output`. */
export const informational = z.object({
  content: z.string(),
  level: maybeText,
  model_restriction: z.object({}).nullish().catch(undefined),
});

/** What messages about tasks have in common. `is_backgrounded` is 2.1.330's, and false where the agent waits for it. */
export const task = z.object({
  task_id: z.string(),
  is_backgrounded: z.boolean().nullish().catch(undefined),
});

/** `system/background_tasks_changed` (2.1.330). */
export const taskList = z.object({ tasks: z.array(z.unknown()) });

/** `user` with `isReplay`: a message of ours was taken up. */
export const echo = z.object({ type: z.literal("user"), uuid: z.string() });

/** `command_lifecycle` (2.1.330): `queued`, `started`, `completed` or `cancelled`. */
export const lifecycle = z.object({ command_uuid: z.string(), state: z.string() });

/** `control_response`: the answer to a request of ours. */
export const controlResponse = z.object({
  response: z.object({
    subtype: z.string(),
    request_id: z.string(),
    error: maybeText,
    response: anyObject.nullish().catch(undefined),
  }),
});

/** `control_request`: the CLI asks us. */
export const controlRequest = z.object({
  request_id: z.string(),
  request: z.object({ subtype: z.string() }),
});

/** Its `can_use_tool`: a tool is to be called. */
export const toolRequest = z.object({
  request_id: z.string(),
  request: z.object({
    tool_name: z.string(),
    input: anyObject,
    description: maybeText,
    tool_use_id: maybeText,
  }),
});
export type ToolRequest = z.output<typeof toolRequest>["request"];

/** `control_cancel_request`: the CLI no longer waits for our answer. */
export const controlCancel = z.object({ request_id: z.string() });

/** The answer to `get_usage`: what the whole conversation has cost, as in a result. */
export const usageAnswer = z.object({
  session: z.object({ total_cost_usd: z.number().min(0).finite() }),
});
