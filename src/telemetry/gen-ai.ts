// Names of OpenTelemetry's semantic conventions for generative AI, as they are told here, and of our own where they have none.
// They are in development: a copy, as their package asks for, changes when we mean it to.

export const OPERATION = "gen_ai.operation.name";
export const PROVIDER = "gen_ai.provider.name";
export const CONVERSATION_ID = "gen_ai.conversation.id";
export const AGENT_NAME = "gen_ai.agent.name";
export const AGENT_VERSION = "gen_ai.agent.version";
export const REQUEST_MODEL = "gen_ai.request.model";
export const RESPONSE_MODEL = "gen_ai.response.model";
export const INPUT_TOKENS = "gen_ai.usage.input_tokens";
export const OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
export const CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens";
export const CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens";
export const TOOL_NAME = "gen_ai.tool.name";
export const TOOL_CALL_ID = "gen_ai.tool.call.id";
export const ERROR_TYPE = "error.type";

export const TURN_ID = "breakglass.turn.id";
export const TURN_ORIGIN = "breakglass.turn.origin";
export const TURN_STATE = "breakglass.turn.state";
export const COST_USD = "breakglass.cost.usd";
export const PERMISSION_DENIALS = "breakglass.permission_denials";
export const APPROVAL_ID = "breakglass.approval.id";
export const APPROVAL_DECISION = "breakglass.approval.decision";
/** Of a turn that did more than is told. */
export const SPANS_LEFT_OUT = "breakglass.spans_left_out";

/** Whose model it is by the kind of the agent, as far as the conventions have a name for it. */
const PROVIDERS: Readonly<Record<string, string>> = { claude: "anthropic" };

export function providerOf(agentKind: string): string {
  return PROVIDERS[agentKind] ?? agentKind;
}
