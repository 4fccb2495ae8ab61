import {
  ApprovalDecisionSchema,
  ErrorReason,
  ErrorReasonSchema,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionModeSchema, TurnOriginSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { EventKind, TerminalKind } from "../agent/agent.ts";
import { type AuditContent, contentOf, nameOf, type Show, showing } from "../audit/content.ts";
import type { AuditEntry, AuditFacts, AuditKind } from "../audit/entry.ts";
import { enumName } from "../enum-name.ts";
import type { Caller } from "../identity/caller.ts";
import type { Grantee, SessionName, SharedAccess } from "../store/views.ts";
import type { TurnStart } from "../store/writes.ts";
import type { TurnIds } from "./encoded-event.ts";
import { endRecordOf } from "./turn-end.ts";

/** An id of a call as the model's API gives it: nobody writes one. Each is new, and to look for secrets in it would take long. */
const OWN_ID = /^toolu_\w{8,40}$/;
const KNOWN_NAMES = 256;
const KNOWN_LENGTH = 256;
/** So many calls of tools at most are in one record, and so much of what they say: it can be read as a line. */
const MOST_CALLS = 64;
const MOST_SHOWN = 16 * 1024;

/** What the audit says of one event: none of most. */
type Said = { readonly kind: AuditKind; readonly facts: AuditFacts } | undefined;

/**
 * What goes on the audit chain of turns and sessions, made where the write is made that it goes with.
 *
 * Each method answers with nothing where the audit is off.
 */
export class TurnAudit {
  readonly #isOn: boolean;
  readonly #show: Show | undefined;
  readonly #redact: (text: string) => string;
  /** Names as they are recorded, by what they were: of tools, models and agents there are few. */
  readonly #names = new Map<string, string>();

  /**
   * @param content - What is recorded of what was said. Undefined: nothing is recorded at all.
   * @param redact - Takes secrets out of what is shown of it, and of names that come from outside.
   */
  constructor(
    content: AuditContent | undefined,
    redact: (text: string) => string = (text) => text,
  ) {
    this.#isOn = content !== undefined;
    this.#redact = redact;
    this.#show = content === "texts" ? showing(redact) : undefined;
  }

  /** Something as it goes on the chain, to try whether it can. Nothing of it is kept. */
  trial(): AuditEntry[] {
    return this.#isOn ? [{ kind: "turn_started", facts: { trial: true } }] : [];
  }

  /** A turn is recorded. @param caller - Undefined: the agent began it by itself. */
  started(start: TurnStart, caller?: Caller): AuditEntry[] {
    if (!this.#isOn) return [];
    const { turnId, prompt, attachments, requestId, causeTurnId, newSession } = start;
    const facts = {
      ...(caller === undefined ? {} : contentOf("prompt", prompt, this.#show)),
      model: this.#name(start.model || newSession.model),
      agent: this.#name(start.agent || newSession.agent),
      origin: enumName(TurnOriginSchema, start.origin),
      permission_mode: enumName(PermissionModeSchema, start.permissionMode),
      request_id: this.#name(requestId) || undefined,
      cause_turn_id: causeTurnId || undefined,
      attachments: attachments.length || undefined,
      attachments_digest: start.attachmentsDigest || undefined,
    };
    return [{ kind: "turn_started", caller, turnId, facts }];
  }

  /**
   * Events are appended. Each entry has the sequence of its event. Calls of tools with nothing to record between them are
   * one entry, which has the sequence of the first: most of what a record costs is not what it says.
   *
   * @param caller - Who brought them about. Undefined: the agent, or the server.
   */
  events(
    { turnId, sessionId }: TurnIds,
    kinds: readonly EventKind[],
    firstSequence: number,
    caller?: Caller,
  ): AuditEntry[] {
    if (!this.#isOn) return [];
    const entries: AuditEntry[] = [];
    const put = (kind: AuditKind, facts: AuditFacts) =>
      entries.push({ kind, caller, turnId, sessionId, facts });
    let calls: CallGroup | undefined;
    for (const [index, kind] of kinds.entries()) {
      const sequence = firstSequence + index;
      if (kind.case === "tool") {
        const facts = {
          ...callFacts(kind.value, this.#show, this.#name),
          event_sequence: sequence,
        };
        if (calls === undefined || !calls.hasRoom) {
          calls = new CallGroup();
          put("tools_called", { calls: calls.facts, event_sequence: sequence });
        }
        calls.add(facts);
        continue;
      }
      const said = saidOf(kind, this.#show, this.#name);
      if (said === undefined) continue;
      calls = undefined;
      put(said.kind, { ...said.facts, event_sequence: sequence });
    }
    return entries;
  }

  /** Somebody stops a turn. */
  stopped(kind: "turn_canceled" | "turn_interrupted", ids: TurnIds, caller: Caller): AuditEntry[] {
    if (!this.#isOn) return [];
    return [{ kind, caller, turnId: ids.turnId, sessionId: ids.sessionId }];
  }

  /** Somebody deletes a session. */
  deleted(session: SessionName, caller: Caller): AuditEntry[] {
    if (!this.#isOn) return [];
    const { sessionId } = session;
    const facts = ownerFacts(session, caller);
    return [{ kind: "session_deleted", caller, sessionId, ...(facts && { facts }) }];
  }

  /** Somebody shares a session with somebody, or ends that. */
  shared(
    kind: "session_shared" | "session_unshared",
    session: SessionName,
    { grantee, access }: { readonly grantee: Grantee; readonly access?: SharedAccess },
    caller: Caller,
  ): AuditEntry[] {
    if (!this.#isOn) return [];
    const facts = {
      ...ownerFacts(session, caller),
      [grantee.kind === "principal" ? "with_principal" : "with_role"]: this.#name(grantee.name),
      access,
    };
    return [{ kind, caller, sessionId: session.sessionId, facts }];
  }

  /** Turns are removed for their age. */
  expired(): AuditEntry[] {
    return !this.#isOn ? [] : [{ kind: "turns_expired" }];
  }

  /** What somebody outside calls something, as it is recorded. To look for secrets takes longer than all else of a record. */
  readonly #name = (name: string): string => {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const shown = nameOf(this.#redact(name));
    if (this.#names.size >= KNOWN_NAMES) this.#names.clear();
    if (name.length <= KNOWN_LENGTH) this.#names.set(name, shown);
    return shown;
  };
}

/** Whose session it is, where it is not the caller's own. */
function ownerFacts({ principal }: SessionName, caller: Caller): AuditFacts | undefined {
  return principal === caller.name ? undefined : { session_principal: nameOf(principal) };
}

/** Calls of tools that are one record. */
class CallGroup {
  readonly facts: AuditFacts[] = [];
  #shown = 0;

  get hasRoom(): boolean {
    return this.facts.length < MOST_CALLS && this.#shown < MOST_SHOWN;
  }

  add(facts: AuditFacts): void {
    this.facts.push(facts);
    if (typeof facts.input === "string") this.#shown += facts.input.length;
  }
}

/** The sequence of the event that an entry is the record of, or of the first of them. Undefined: of none. */
export function eventOf({ facts }: AuditEntry): number | undefined {
  return facts?.event_sequence as number | undefined;
}

function saidOf(kind: EventKind, show: Show | undefined, name: Show): Said {
  switch (kind.case) {
    case "approvalRequest": {
      const facts = callFacts(kind.value, show, name);
      return { kind: "approval_asked", facts: { ...facts, approval_id: kind.value.approvalId } };
    }
    case "approvalResolution":
      return { kind: "approval_resolved", facts: resolutionFacts(kind.value, show) };
    case "steer":
      return { kind: "turn_steered", facts: contentOf("message", kind.value.message, show) };
    case "result":
    case "error":
      return { kind: "turn_ended", facts: endFacts(kind) };
    default:
      return undefined;
  }
}

type Call = Extract<EventKind, { case: "tool" | "approvalRequest" }>["value"];

function callFacts(call: Call, show: Show | undefined, shownName: Show): AuditFacts {
  const { name, toolId, inputJson, truncated, totalBytes } = call;
  // What the log has not whole the audit has neither.
  const input = truncated
    ? { input_bytes: Number(totalBytes) }
    : contentOf("input", inputJson, show);
  const shownId = (id: string) => (OWN_ID.test(id) ? id : shownName(id));
  const parent = "parentToolId" in call ? shownId(call.parentToolId) : "";
  return {
    tool: shownName(name),
    tool_id: shownId(toolId),
    parent_tool_id: parent || undefined,
    ...input,
  };
}

type Resolution = Extract<EventKind, { case: "approvalResolution" }>["value"];

function resolutionFacts(resolution: Resolution, show: Show | undefined): AuditFacts {
  const { approvalId, decision, message, inputJson } = resolution;
  return {
    approval_id: approvalId,
    decision: enumName(ApprovalDecisionSchema, decision),
    ...(message === "" ? {} : contentOf("message", message, show)),
    ...(inputJson === "" ? {} : contentOf("input", inputJson, show)),
  };
}

function endFacts(kind: TerminalKind): AuditFacts {
  const { state, errorReason, totalCostUsd, usage, permissionDenialCount } = endRecordOf(kind);
  return {
    state: enumName(TurnStateSchema, state),
    error_reason:
      errorReason === ErrorReason.UNSPECIFIED
        ? undefined
        : enumName(ErrorReasonSchema, errorReason),
    // As text: numbers in records are whole.
    cost_usd: String(totalCostUsd),
    input_tokens: usage && String(usage.inputTokens),
    output_tokens: usage && String(usage.outputTokens),
    permission_denials: permissionDenialCount || undefined,
  };
}
