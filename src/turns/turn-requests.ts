import type { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { ApprovalAnswer } from "../agent/agent.ts";
import type { Attachment } from "./attachments.ts";

/** What a caller asks to run; validated. */
export interface RunRequest {
  /** Empty: a new session. */
  readonly sessionId: string;
  readonly prompt: string;
  /** The kind of agent. Empty: the session's, or the server's default. */
  readonly agentKind: string;
  /** Empty: the session's. */
  readonly model: string;
  /** Empty: the session's. */
  readonly agent: string;
  /** Empty: the start is not idempotent. */
  readonly requestId: string;
  /** Undefined: the server's limit, which caps it too. */
  readonly timeoutMs: number | undefined;
  /** Unspecified: the server's. */
  readonly permissionMode: PermissionMode;
  readonly attachments: readonly Attachment[];
  /** The agent is to be told of the session's earlier turns. */
  readonly recall: boolean;
}

/** A message for a running turn; validated. */
export interface SteerTurn {
  readonly turnId: string;
  readonly message: string;
  /** Empty: it is not to be found again. */
  readonly requestId: string;
}

/** An answer to an approval that a turn asks for; validated. */
export interface ApprovalResolution {
  readonly turnId: string;
  readonly approvalId: string;
  readonly answer: ApprovalAnswer;
}
