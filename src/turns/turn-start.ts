import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Agent, OwnWork, SpareReservation } from "../agent/agent.ts";
import type { Agents } from "../agent/agents.ts";
import type { AuditEntry } from "../audit/entry.ts";
import type { DayLimits } from "../day-spending.ts";
import { Refusal } from "../errors.ts";
import { giveDirectory, type Owner } from "../files/owner.ts";
import type { Caller } from "../identity/caller.ts";
import type { Redaction } from "../redaction/redaction.ts";
import type { SessionRecord, TurnRecord } from "../store/records.ts";
import type { RecordQuotas, StartedTurn, TurnStart } from "../store/writes.ts";
import type { RunRequest } from "../turn-requests.ts";
import { kindOf, stancesOf } from "./agent-stances.ts";
import { attachmentRecords, attachmentsDigest } from "./attachments.ts";
import type { DaySpendings } from "./day-spendings.ts";
import { newId, newTurnId } from "./identifiers.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurn, UnendedTurns } from "./unended-turns.ts";
import type { WorkspaceSizes } from "./workspace-sizes.ts";

/** What turns begin with where their request does not say. */
export interface StartPolicy {
  /** The turns that a session may have on record. */
  readonly maxSessionTurns: number;
  /** Where new sessions get their workspaces. */
  readonly sessionsDir: string;
  /** What the turns of a principal may use on a day. */
  readonly dayLimits: DayLimits;
  /** What a principal may have on record. */
  readonly quotas: RecordQuotas;
  /** The mode of turns that name none; with `ask` the other is refused. */
  readonly permissionMode: "bypass" | "ask";
}

/** What starts are held against. */
export interface StartSurroundings {
  readonly agents: Agents;
  readonly days: DaySpendings;
  readonly sizes: WorkspaceSizes;
}

type Refused = TurnStart["refusal"];

/** What a caller's turn begins with beside its request. */
interface Beginnings extends Pick<TurnStart, "agents" | "refusal" | "sessionKey"> {
  /** Of a session that it may open. */
  readonly newSession: Omit<TurnStart["newSession"], "sessionId">;
  /** Of its attachments. */
  readonly digest: string;
}

/**
 * Starts a caller's turn, or finds the one that the same request started before. It is on record before anything is done for
 * it.
 *
 * @param begin - Begins one that is new.
 * @throws Refusal as `Store.createTurn` and `stancesOf`; BYPASS_FORBIDDEN.
 */
export async function startTurn(
  request: RunRequest,
  caller: Caller,
  /** As in `TurnStart`. */
  sessionKey: string,
  options: StartPolicy &
    StartSurroundings &
    Pick<TurnSurroundings, "audit"> & { readonly redaction?: Redaction },
  unended: UnendedTurns,
  begin: (started: StartedTurn) => UnendedTurn,
): Promise<TurnRecord> {
  const stances = stancesOf(request, options.agents);
  const digest = await attachmentsDigest(request.attachments);
  const agentKind = kindOf(request, options.agents);
  const opener = options.agents.of(agentKind);
  const agent = request.agent || opener.defaults.agent;
  const model = request.model || opener.defaults.model;
  const mode = modeOf(request.permissionMode, options.permissionMode);
  const spare = opener.reserve(agent, model, mode);
  let session: SessionRecord | undefined;
  try {
    const newSession = { agentKind, agent, model, ...placeOf(spare, opener, options.sessionsDir) };
    const refusal = refusalOf(request, caller.name, options, unended);
    const known = { newSession, digest, agents: stances, sessionKey };
    const beginnings = { ...known, ...(refusal && { refusal }) };
    const prompt = options.redaction?.text(request.prompt) ?? request.prompt;
    const start = callerStart({ ...request, prompt }, caller.name, mode, options, beginnings);
    const audited = withAudit(start, options.audit.started(start, caller));
    const started = await unended.create(audited, begin);
    session = started.session;
    return started.turn;
  } finally {
    // A session that was opened in its place keeps it for its first turn.
    if (session?.workspace !== spare?.workspace) spare?.release();
  }
}

/** The day is that of who runs the turn, the room that of whose session it is in. */
function refusalOf(
  { sessionPrincipal }: RunRequest,
  principal: string,
  { days, sizes }: StartSurroundings,
  unended: UnendedTurns,
): Refused {
  const owner = sessionPrincipal || principal;
  const refusal = days.refusal(principal) ?? sizes.refusal(owner, owner === principal);
  // Last: who is refused a place is expected back for it.
  return refusal === undefined ? unended.refusal(principal) : plain(refusal);
}

/** Not itself: it would lose all but its message on its way to the store. */
function plain({ reason, message, details }: Refusal): Refused {
  return { reason, message, details };
}

/** Makes a workspace for a session that is yet to be opened. */
export async function makeWorkspace(sessionsDir: string, owner?: Owner): Promise<string> {
  const workspace = join(sessionsDir, newId());
  await mkdir(workspace, { mode: 0o700 });
  if (owner !== undefined) await giveDirectory(workspace, owner);
  return workspace;
}

/** Where a session works that is to be opened, and in which conversation: a spare's, or one of its own. */
function placeOf(
  spare: SpareReservation | undefined,
  opener: Agent,
  sessionsDir: string,
): Pick<SessionRecord, "workspace" | "agentSessionId"> {
  if (spare !== undefined)
    return { workspace: spare.workspace, agentSessionId: spare.agentSessionId };
  return { workspace: join(sessionsDir, newId()), agentSessionId: opener.chooseConversation() };
}

/** A turn to be recorded with what the audit says of it. */
export function withAudit(start: TurnStart, audit: readonly AuditEntry[]): TurnStart {
  return audit.length === 0 ? start : { ...start, audit };
}

/** A caller's turn, to be recorded. */
function callerStart(
  request: RunRequest,
  principal: string,
  permissionMode: PermissionMode,
  { maxSessionTurns, dayLimits, quotas, sessionsDir }: StartPolicy,
  { newSession, digest, ...more }: Beginnings,
): TurnStart {
  const { sessionId, prompt, model, agent, agentKind, requestId, attachments } = request;
  return {
    turnId: newTurnId(),
    origin: TurnOrigin.CALLER,
    causeTurnId: "",
    principal,
    prompt,
    model,
    agent,
    sentAgentKind: agentKind,
    sentSessionId: sessionId,
    permissionMode,
    sentPermissionMode: request.permissionMode,
    attachments: attachmentRecords(attachments),
    attachmentsDigest: digest,
    requestId,
    time: Date.now(),
    maxSessionTurns,
    dayLimits,
    quotas,
    newSession: { sessionId: sessionId || newId(), ...newSession },
    // Never the new session's: where an agent waits for that it has another conversation.
    workspaceIfMoved: join(sessionsDir, newId()),
    ...more,
  };
}

/** The turn that an agent's own work becomes, to be recorded. */
export function ownStart(turnId: string, work: OwnWork, refusal: Refused): TurnStart {
  const { sessionKey: sessionId, causeTurnId, model, agent, permissionMode } = work;
  // None of it is looked at: the session exists.
  const newSession = { sessionId, agentKind: "", agent, model, workspace: "", agentSessionId: "" };
  return {
    ...{ turnId, origin: TurnOrigin.AGENT, causeTurnId, principal: "", prompt: "", model, agent },
    ...{
      sentAgentKind: "",
      agents: [],
      sentSessionId: sessionId,
      sessionKey: "",
      permissionMode,
      sentPermissionMode: permissionMode,
    },
    ...{ attachments: [], attachmentsDigest: "", requestId: "", time: Date.now() },
    ...{ maxSessionTurns: Number.MAX_SAFE_INTEGER, newSession },
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/**
 * The mode of a turn that asks for this one.
 *
 * @throws Refusal BYPASS_FORBIDDEN.
 */
function modeOf(asked: PermissionMode, served: StartPolicy["permissionMode"]): PermissionMode {
  const isBypass = served === "bypass";
  if (asked === PermissionMode.BYPASS && !isBypass) {
    throw new Refusal("BYPASS_FORBIDDEN", "this server runs no turn without asking");
  }
  if (asked !== PermissionMode.UNSPECIFIED) return asked;
  return isBypass ? PermissionMode.BYPASS : PermissionMode.ASK;
}
