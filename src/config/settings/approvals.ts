import { choice, path, principals, seconds } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What the agent may do, and who is asked before. */
export const APPROVAL_SETTINGS = {
  permissionMode: {
    variable: "BREAKGLASS_PERMISSION_MODE",
    kind: choice("bypass", "ask"),
    default: "bypass",
    does: "The mode of turns that name none. `ask` also refuses turns in the mode `BYPASS`: `BYPASS_FORBIDDEN`.",
  },
  rulesFile: {
    variable: "BREAKGLASS_RULES_FILE",
    kind: path("the path of a file"),
    unset: "none",
    does: "What is allowed or denied before anyone is asked, a line each: `allow RULE` or `deny RULE`, in the CLI's rule syntax, such as `deny Bash(rm:*)`.",
  },
  workspaceTrust: {
    variable: "BREAKGLASS_WORKSPACE_TRUST",
    kind: choice("untrusted", "trusted"),
    default: "untrusted",
    does: "Whether hooks, MCP servers, helpers and permissions count that lie in the workspace or in the CLI's configuration. `untrusted`: in the mode `ASK` none does. `trusted`: all do.",
  },
  approvalMs: {
    variable: "BREAKGLASS_APPROVAL_SECONDS",
    kind: seconds(1, 604_800),
    default: "600",
    does: "How long a tool call waits for an approval. Then it is denied.",
  },
  approvers: {
    variable: "BREAKGLASS_APPROVERS",
    kind: principals,
    default: "",
    does: "Those who have the role `approver`, whatever their tokens say: they read and answer others' turns in the mode `ASK`. It takes `BREAKGLASS_TOKENS_FILE` too.",
  },
  selfApproval: {
    variable: "BREAKGLASS_SELF_APPROVAL",
    kind: choice("allowed", "forbidden"),
    default: "allowed",
    does: "Whether those who run or steer a turn may answer for it. `forbidden` refuses with `SELF_APPROVAL_FORBIDDEN`, has only approvers answer, and takes approvers: `BREAKGLASS_APPROVERS`, or the role.",
  },
} as const satisfies Settings;
