import type { Agents } from "../agent/agents.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import type { Owner } from "../files/owner.ts";
import type { Happenings } from "../happenings.ts";
import type { Log } from "../log.ts";
import type { Redaction } from "../redaction/redaction.ts";
import type { Store } from "../store/store.ts";
import type { SessionMoves } from "../turns/session-moves.ts";
import type { TurnAudit } from "../turns/turn-audit.ts";
import { Turns } from "../turns/turns.ts";
import { toldKindsOf } from "./notifier.ts";

/** How long the model may be silent before readers are told. */
const SILENCE_MS = 30_000;
/** What turns are made of. */
interface TurnParts {
  readonly store: Store;
  readonly agents: Agents;
  readonly redaction: Redaction;
  readonly audit: TurnAudit;
  readonly moves: SessionMoves | undefined;
  readonly log: Log;
}

/** Turns as the settings limit them. */
export function createTurns(
  config: ServeConfig,
  { store, agents, redaction, audit, moves, log }: TurnParts,
  happenings: Happenings,
  filesOwner: Owner | undefined,
): Turns {
  const toldKinds = toldKindsOf(config);
  return new Turns({
    store,
    agents,
    log,
    happenings,
    filesOwner,
    audit,
    moves,
    limits: {
      timeoutMs: config.turnTimeoutMs,
      idleTimeoutMs: config.idleTimeoutMs,
      maxEventBytes: config.maxEventBytes,
      maxTurnBytes: config.maxTurnBytes,
      approvalMs: config.approvalMs,
      silenceMs: SILENCE_MS,
      maxCostUsd: config.maxTurnCostUsd,
      maxModelTurns: config.maxTurnModelTurns,
    },
    dayLimits: {
      costUsd: config.maxPrincipalCostUsdPerDay,
      modelTurns: config.maxPrincipalModelTurnsPerDay,
    },
    maxConcurrentTurns: config.maxConcurrentTurns,
    maxPrincipalTurns: config.maxPrincipalTurns,
    maxSessionTurns: config.maxSessionTurns,
    quotas: {
      sessions: config.maxPrincipalSessions,
      attachmentBytes: config.maxPrincipalAttachmentBytes,
    },
    maxPrincipalWorkspaceBytes: config.maxPrincipalWorkspaceBytes,
    maxWorkspaceBytes: config.maxWorkspaceBytes,
    retentionMs: config.retentionMs,
    maxSubscriptions: config.maxSubscriptions,
    maxTurnSubscriptions: config.maxTurnSubscriptions,
    maxPrincipalSubscriptions: config.maxPrincipalSubscriptions,
    sessionsDir: config.sessionsDir,
    permissionMode: config.permissionMode,
    approvers: config.approvers,
    selfApproval: config.selfApproval,
    ...(toldKinds === undefined ? {} : { toldKinds }),
    ...(config.redact === "1" ? { redaction } : {}),
  });
}
