import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Agent, OwnWork, SpareReservation } from "../agent/agent.ts";
import { Refusal } from "../errors.ts";
import type { SessionRecord, StartedTurn, TurnRecord, TurnStart } from "../store/store.ts";
import { attachmentRecords, attachmentsDigest } from "./attachments.ts";
import { newId, newTurnId } from "./identifiers.ts";
import type { RunRequest } from "./turn-requests.ts";
import type { UnendedTurn, UnendedTurns } from "./unended-turns.ts";

/** What turns begin with where their request does not say. */
export interface StartPolicy {
  /** The agent definition and the model of sessions that name none. */
  readonly defaults: { readonly agent: string; readonly model: string };
  /** The turns that a session may have on record. */
  readonly maxSessionTurns: number;
  /** Where new sessions get their workspaces. */
  readonly sessionsDir: string;
  /** The mode of turns that name none; with `ask` the other is refused. */
  readonly permissionMode: "bypass" | "ask";
}

type Refused = TurnStart["refusal"];

/**
 * Starts a caller's turn, or finds the one that the same request started before. It is on record before anything is done for
 * it.
 *
 * @param begin - Begins one that is new.
 * @throws Refusal as `Store.createTurn`; BYPASS_FORBIDDEN.
 */
export async function startTurn(
  request: RunRequest,
  principal: string,
  options: StartPolicy & { readonly agent: Agent },
  unended: UnendedTurns,
  begin: (started: StartedTurn) => UnendedTurn,
): Promise<TurnRecord> {
  const { agent, defaults, permissionMode } = options;
  const digest = await attachmentsDigest(request.attachments);
  const spare = agent.reserve(
    request.agent || defaults.agent,
    request.model || defaults.model,
    modeOf(request.permissionMode, permissionMode),
  );
  let session: SessionRecord | undefined;
  try {
    const start = callerStart(request, principal, options, spare, digest, unended.refusal());
    const started = await unended.create(start, begin);
    session = started.session;
    return started.turn;
  } finally {
    // A session that was opened in its place keeps it for its first turn.
    if (session?.agentSessionId !== spare?.agentSessionId) spare?.release();
  }
}

/** Makes a workspace for a session that is yet to be opened. */
export async function makeWorkspace(sessionsDir: string): Promise<string> {
  const workspace = join(sessionsDir, newId());
  await mkdir(workspace, { mode: 0o700 });
  return workspace;
}

/**
 * A caller's turn, to be recorded.
 *
 * @param spare - The place of a session that it may open. Undefined: one of its own.
 * @param digest - Of its attachments.
 * @param refusal - Why it cannot begin now.
 * @throws Refusal BYPASS_FORBIDDEN.
 */
function callerStart(
  request: RunRequest,
  principal: string,
  { defaults, sessionsDir, maxSessionTurns, permissionMode }: StartPolicy,
  spare: SpareReservation | undefined,
  digest: string,
  refusal: Refused,
): TurnStart {
  const { sessionId, prompt, model, agent, requestId, attachments } = request;
  return {
    turnId: newTurnId(),
    origin: TurnOrigin.CALLER,
    causeTurnId: "",
    principal,
    prompt,
    model,
    agent,
    sentSessionId: sessionId,
    permissionMode: modeOf(request.permissionMode, permissionMode),
    sentPermissionMode: request.permissionMode,
    attachments: attachmentRecords(attachments),
    attachmentsDigest: digest,
    requestId,
    time: Date.now(),
    maxSessionTurns,
    newSession: {
      sessionId: sessionId || newId(),
      agent: agent || defaults.agent,
      model: model || defaults.model,
      workspace: spare?.workspace ?? join(sessionsDir, newId()),
      agentSessionId: spare?.agentSessionId ?? newId(),
    },
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/** The turn that an agent's own work becomes, to be recorded. */
export function ownStart(turnId: string, work: OwnWork, refusal: Refused): TurnStart {
  const { sessionKey: sessionId, causeTurnId, model, agent, permissionMode } = work;
  // None of it is looked at: the session exists.
  const newSession = { sessionId, agent, model, workspace: "", agentSessionId: "" };
  return {
    ...{ turnId, origin: TurnOrigin.AGENT, causeTurnId, principal: "", prompt: "", model, agent },
    ...{ sentSessionId: sessionId, permissionMode, sentPermissionMode: permissionMode },
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
