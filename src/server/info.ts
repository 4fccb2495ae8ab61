import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AgentInfoSchema,
  Containment,
  type ServerInfoSchema,
  SignInMethod,
} from "../../gen/breakglass/v1/server_pb.ts";
import type { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import type { Agents } from "../agent/agents.ts";
import type { HeldBy } from "../agent/process/containment.ts";
import type { Readiness } from "../health/readiness.ts";
import type { Caller, Means, Role } from "../identity/caller.ts";
import { MAX_ATTACHMENTS } from "../rpc/attachment-rules.ts";
import type { RequestLimits } from "../rpc/request-rules.ts";
import { readVersion } from "../version.ts";

/** What a server tells of itself. */
export interface ServerFacts {
  readonly limits: RequestLimits & {
    readonly maxConcurrentTurns: number;
    readonly maxSessionTurns: number;
    readonly turnTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly approvalMs: number;
    /** 0: they are kept for good. */
    readonly retentionMs: number;
  };
  readonly agents: Agents;
  readonly readiness: Readiness;
  readonly defaultPermissionMode: PermissionMode;
  readonly heldBy: HeldBy;
  /** The ways to sign in that there are now. */
  readonly signIn: () => readonly Means[];
  readonly isDraining: () => boolean;
  readonly rolesOf: (caller: Caller) => readonly Role[];
}

/** How long is waited for an agent's program to say its version. */
const VERSION_MS = 5000;

const CONTAINMENTS: Readonly<Record<HeldBy, Containment>> = {
  cgroup: Containment.CGROUP,
  "environment mark": Containment.ENVIRONMENT_MARK,
  "process group": Containment.PROCESS_GROUP,
};

const METHODS: Readonly<Record<Means, SignInMethod>> = {
  local: SignInMethod.LOCAL,
  token: SignInMethod.TOKEN,
  certificate: SignInMethod.CERTIFICATE,
  jwt: SignInMethod.JWT,
  proxy: SignInMethod.PROXY,
};

/** What the server is, and who it takes a caller for. */
export async function serverInfo(
  facts: ServerFacts,
  caller: Caller,
): Promise<MessageInitShape<typeof ServerInfoSchema>> {
  const { agents, defaultPermissionMode, heldBy, signIn, isDraining, rolesOf } = facts;
  const kinds = agents.kinds.toSorted((a, b) => rank(agents, a) - rank(agents, b));
  return {
    version: readVersion(),
    nodeVersion: process.versions.node,
    agents: await Promise.all(kinds.map((kind) => agentInfo(facts, kind))),
    limits: limitsOf(facts),
    defaultPermissionMode,
    containment: CONTAINMENTS[heldBy],
    signInMethods: signIn().map((one) => METHODS[one]),
    draining: isDraining(),
    caller: {
      principal: caller.name,
      roles: [...rolesOf(caller)],
      method: METHODS[caller.means],
    },
  };
}

function rank({ defaultKind }: Agents, kind: string): number {
  return kind === defaultKind ? 0 : 1;
}

async function agentInfo(
  { agents, readiness }: ServerFacts,
  kind: string,
): Promise<MessageInitShape<typeof AgentInfoSchema>> {
  const { capabilities, defaults } = agents.of(kind);
  const { images } = capabilities;
  const inspection = await readiness.inspectAgent(kind, VERSION_MS);
  return {
    kind,
    version: inspection?.version ?? "",
    defaultAgent: defaults.agent,
    defaultModel: defaults.model,
    canSteer: capabilities.steer,
    canChangeInput: capabilities.changedInput,
    hasOwnWork: capabilities.ownWork,
    canResume: capabilities.resume,
    tellsCost: capabilities.cost,
    imageMediaTypes: [...(images?.mediaTypes ?? [])],
    maxImageBytes: BigInt(images?.maxBytes ?? 0),
  };
}

function limitsOf({ limits }: ServerFacts) {
  const { maxPromptBytes, maxAttachmentBytes, maxConcurrentTurns, maxSessionTurns } = limits;
  const { turnTimeoutMs, idleTimeoutMs, approvalMs, retentionMs } = limits;
  return {
    maxPromptBytes: BigInt(maxPromptBytes),
    maxAttachmentBytes: BigInt(maxAttachmentBytes),
    maxAttachments: MAX_ATTACHMENTS,
    ...{ maxConcurrentTurns, maxSessionTurns },
    turnTimeout: durationFromMs(turnTimeoutMs),
    idleTimeout: durationFromMs(idleTimeoutMs),
    approvalTimeout: durationFromMs(approvalMs),
    ...(retentionMs === 0 ? {} : { retention: durationFromMs(retentionMs) }),
  };
}
