import { bytes, executable, name, seconds, user, variableNames, whole } from "../kinds.ts";
import { KIB, MIB } from "../quantity.ts";
import type { Settings } from "../setting.ts";

/** The agent, its processes and what is taken from them. */
export const AGENT_SETTINGS = {
  agentCommand: {
    variable: "BREAKGLASS_AGENT_COMMAND",
    kind: executable,
    unset: "`claude` on `PATH`, else the one that is installed with the service",
    does: "The agent's program. No shell runs it.",
  },
  agentUser: {
    variable: "BREAKGLASS_AGENT_USER",
    kind: user,
    unset: "the server's own",
    does: "The user that the agent's processes run as, with that user's groups and home. It takes a server of root's, or the capabilities that the start names.",
  },
  agent: {
    variable: "BREAKGLASS_AGENT",
    kind: name,
    default: "breakglass",
    does: "The agent definition of turns that name none. The one called `breakglass` comes with the service.",
  },
  model: {
    variable: "BREAKGLASS_MODEL",
    kind: name,
    unset: "the agent's own, `sonnet`",
    does: "The model of turns that name none.",
  },
  agentEnv: {
    variable: "BREAKGLASS_AGENT_ENV",
    kind: variableNames,
    default: "",
    does: "Variables to hand to the agent beside those of the allow-list, such as `KUBECONFIG,AWS_PROFILE`.",
  },
  maxWarmProcesses: {
    variable: "BREAKGLASS_MAX_WARM_PROCESSES",
    kind: whole(0, 10_000),
    default: "8",
    does: "How many of the agent's processes are kept for their sessions' next turns, some 138 MB each. The least recently used goes first.",
  },
  warmMs: {
    variable: "BREAKGLASS_WARM_SECONDS",
    kind: seconds(1, 604_800),
    default: "600",
    does: "How long such a process is kept without a turn.",
  },
  spareProcesses: {
    variable: "BREAKGLASS_SPARE_PROCESSES",
    kind: whole(0, 100),
    default: "0",
    does: "How many initialized processes wait for new sessions.",
  },
  maxLineBytes: {
    variable: "BREAKGLASS_MAX_LINE_BYTES",
    kind: bytes(64 * KIB, 256 * MIB),
    default: String(32 * MIB),
    does: "How long a line of the agent may be. A longer one is skipped, with a notice.",
  },
  maxEventBytes: {
    variable: "BREAKGLASS_MAX_EVENT_BYTES",
    kind: bytes(16 * KIB, 3 * MIB),
    default: String(3 * MIB),
    does: "How large an event may be. A larger one is cut, and says so.",
  },
} as const satisfies Settings;
