import type { PermissionMode } from "../gen/breakglass/v1/turn_pb.ts";
import type { TraceContext } from "./trace-context.ts";

/** A file that goes with a prompt; its name is one, and no path. */
export interface Attachment {
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
}

/** What a caller asks to run; validated. */
export interface RunRequest {
  /** Empty: a new session. */
  readonly sessionId: string;
  /** Whose session it is. Empty: the caller's own. */
  readonly sessionPrincipal: string;
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
  /** What it may cost, in US dollars. 0 or unset: the server's limit, which caps it too. */
  readonly maxCostUsd?: number;
  /** How often it may call the model. 0 or unset: the server's limit, which caps it too. */
  readonly maxModelTurns?: number;
  /** Unspecified: the server's. */
  readonly permissionMode: PermissionMode;
  readonly attachments: readonly Attachment[];
  /** The agent is to be told of the session's earlier turns. */
  readonly recall: boolean;
  /** The trace that the request is part of. Undefined: none. */
  readonly trace?: TraceContext | undefined;
}

/** A message for a running turn; validated. */
export interface SteerTurn {
  readonly turnId: string;
  readonly message: string;
  /** Empty: it is not to be found again. */
  readonly requestId: string;
}

/** How a tool call was decided. */
export type ApprovalAnswer =
  | {
      readonly allow: true /** The whole input, a JSON object as text. Undefined: as asked. */;
      readonly inputJson?: string;
    }
  | { readonly allow: false /** What the agent is told. */; readonly message: string };

/** An answer to an approval that a turn asks for; validated. */
export interface ApprovalResolution {
  readonly turnId: string;
  readonly approvalId: string;
  readonly answer: ApprovalAnswer;
}
