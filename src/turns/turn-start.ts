import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Agent, OwnWork, SpareReservation } from "../agent/agent.ts";
import type { Agents } from "../agent/agents.ts";
import { Refusal } from "../errors.ts";
import type { Caller } from "../identity/caller.ts";
import type { SessionRecord, TurnRecord } from "../store/records.ts";
import type { StartedTurn, TurnStart } from "../store/writes.ts";
import type { RunRequest } from "../turn-requests.ts";
import { kindOf, stancesOf } from "./agent-stances.ts";
import { attachmentRecords, attachmentsDigest } from "./attachments.ts";
import { newId, newTurnId } from "./identifiers.ts";
import type { UnendedTurn, UnendedTurns } from "./unended-turns.ts";

/** What turns begin with where their request does not say. */
export interface StartPolicy {
  /** The turns that a session may have on record. */
  readonly maxSessionTurns: number;
  /** Where new sessions get their workspaces. */
  readonly sessionsDir: string;
  /** The mode of turns that name none; with `ask` the other is refused. */
  readonly permissionMode: "bypass" | "ask";
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
  options: StartPolicy & { readonly agents: Agents },
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
    const refusal = unended.refusal();
    const known = { newSession, digest, agents: stances, sessionKey };
    const beginnings = { ...known, ...(refusal && { refusal }) };
    const start = callerStart(request, caller.name, mode, options.maxSessionTurns, beginnings);
    const started = await unended.create(start, begin);
    session = started.session;
    return started.turn;
  } finally {
    // A session that was opened in its place keeps it for its first turn.
    if (session?.workspace !== spare?.workspace) spare?.release();
  }
}

/** Makes a workspace for a session that is yet to be opened. */
export async function makeWorkspace(sessionsDir: string): Promise<string> {
  const workspace = join(sessionsDir, newId());
  await mkdir(workspace, { mode: 0o700 });
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

/** A caller's turn, to be recorded. */
function callerStart(
  request: RunRequest,
  principal: string,
  permissionMode: PermissionMode,
  maxSessionTurns: number,
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
    newSession: { sessionId: sessionId || newId(), ...newSession },
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
