import { choice, path, seconds, serverUrl, syslogAddress } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What is recorded of who did what, for how long, and where it is vouched for. */
export const AUDIT_SETTINGS = {
  audit: {
    variable: "BREAKGLASS_AUDIT",
    kind: choice("on", "off"),
    default: "on",
    does: "Whether it is recorded who did what. With `on` nothing is done that cannot be recorded. The log says so where it is `off`.",
  },
  auditContent: {
    variable: "BREAKGLASS_AUDIT_CONTENT",
    kind: choice("hashes", "texts"),
    default: "hashes",
    does: "What is recorded of prompts, messages and the inputs of tools: their SHA-256 and length, or with `texts` also their first 4 KiB, without the secrets that are found.",
  },
  auditRetentionMs: {
    variable: "BREAKGLASS_AUDIT_RETENTION_SECONDS",
    kind: seconds(0, 3_153_600_000),
    default: "0",
    does: "The age at which audit records are removed; one that stays says up to where. 0 keeps them all.",
  },
  auditKey: {
    variable: "BREAKGLASS_AUDIT_KEY",
    kind: path("the path of a file"),
    unset: "`audit-key.pem` in the data directory, made at the first start",
    does: "The Ed25519 private key, in PEM, that heads of the audit are signed with. `breakglass audit key` prints the public one.",
  },
  auditHeadMs: {
    variable: "BREAKGLASS_AUDIT_HEAD_SECONDS",
    kind: seconds(1, 86_400),
    default: "60",
    does: "How often a signed head is given out while there are new records. The last comes when the server ends.",
  },
  auditHeadsFile: {
    variable: "BREAKGLASS_AUDIT_HEADS_FILE",
    kind: path("the path of a file"),
    unset: "none",
    does: "A file that heads are appended to, a line each. It belongs on another machine, or where only appending is allowed.",
  },
  auditHeadsSyslog: {
    variable: "BREAKGLASS_AUDIT_HEADS_SYSLOG",
    kind: syslogAddress,
    unset: "none",
    does: "A syslog server that heads are sent to, by RFC 5424: `unix:/dev/log` is the machine's own.",
  },
  auditHeadsUrl: {
    variable: "BREAKGLASS_AUDIT_HEADS_URL",
    kind: serverUrl,
    unset: "none",
    does: "Where heads are sent to, each as the body of a POST.",
  },
} as const satisfies Settings;
