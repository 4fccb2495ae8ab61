import type { Agents } from "../agent/agents.ts";
import { imageViolation } from "../agent/image-violation.ts";
import { type FieldViolation, Refusal, unsupportedByAgent } from "../errors.ts";
import type { AgentStance } from "../store/writes.ts";
import type { Attachment, RunRequest } from "../turn-requests.ts";
import { isImage } from "./attachments.ts";

/** The kind of agent that a session has which a request opens. */
export function kindOf({ agentKind }: Pick<RunRequest, "agentKind">, agents: Agents): string {
  return agentKind || agents.defaultKind;
}

/**
 * What the agents say of a turn that could have it: which one it is the store knows, where the session may be there already.
 *
 * @throws Refusal INVALID_ARGUMENT where there is no agent of the kind that is asked for; what the agent of a session that
 * the turn opens refuses it by. Who asks for it in a session may ask for one at home elsewhere, where others may be run.
 */
export function stancesOf(request: RunRequest, agents: Agents): AgentStance[] {
  const { agentKind, sessionId } = request;
  if (agentKind !== "" && !agents.has(agentKind)) throw unknownKind(agents.kinds);
  const isKnown = agentKind !== "" || sessionId === "";
  const kinds = isKnown ? [kindOf(request, agents)] : agents.kinds;
  const stances = kinds.map((kind) => stanceOf(kind, agents, request));
  const [stance] = stances;
  if (sessionId === "" && stance?.refusal !== undefined) throw refusalOf(stance.refusal);
  return stances;
}

function stanceOf(kind: string, agents: Agents, request: RunRequest): AgentStance {
  const agent = agents.of(kind);
  const isCostUnknown = (request.maxCostUsd ?? 0) > 0 && !agent.capabilities.cost;
  const refusal = isCostUnknown
    ? unsupportedByAgent(kind, "cost")
    : imagesRefusal(kind, agents, request.attachments);
  const remembered = agent.capabilities.resume ? undefined : agent.rememberedSessions();
  return {
    kind,
    // Not itself: it would lose all but its message on its way to the store.
    ...(refusal === undefined ? {} : { refusal: plain(refusal) }),
    ...(remembered === undefined ? {} : { remembered }),
  };
}

function plain({ reason, message, details }: Refusal): AgentStance["refusal"] & {} {
  return { reason, message, details };
}

function refusalOf({ reason, message, details }: AgentStance["refusal"] & {}): Refusal {
  return new Refusal(reason, message, details);
}

function imagesRefusal(
  kind: string,
  agents: Agents,
  attachments: readonly Attachment[],
): Refusal | undefined {
  const { images } = agents.of(kind).capabilities;
  if (images === undefined) {
    return attachments.some(isImage) ? unsupportedByAgent(kind, "images") : undefined;
  }
  const violations: FieldViolation[] = [];
  for (const [index, attachment] of attachments.entries()) {
    const violation = isImage(attachment) ? imageViolation(images, attachment) : undefined;
    if (violation === undefined) continue;
    const field = violation.field === "data" ? "data" : "media_type";
    const { description } = violation;
    violations.push({ field: `attachments[${index}].${field}`, description });
  }
  return violations.length === 0 ? undefined : invalid(violations);
}

function unknownKind(served: readonly string[]): Refusal {
  const description = `must be empty or a kind of agent that this server runs: ${served.join(", ")}`;
  return invalid([{ field: "agent_kind", description }]);
}

function invalid(violations: readonly FieldViolation[]): Refusal {
  const message = violations.map(({ field, description }) => `${field} ${description}`).join("; ");
  return new Refusal("INVALID_ARGUMENT", message, { violations });
}
