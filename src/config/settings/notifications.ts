import { choice, notificationKinds, path, seconds, serverUrl } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** Who is told of what happens, and how. */
export const NOTIFICATION_SETTINGS = {
  notifyUrl: {
    variable: "BREAKGLASS_NOTIFY_URL",
    kind: serverUrl,
    unset: "none: nobody is told",
    does: "Where signed webhooks are sent to. It takes `BREAKGLASS_NOTIFY_SECRET_FILE` too.",
    isSecret: true,
  },
  notifySecretFile: {
    variable: "BREAKGLASS_NOTIFY_SECRET_FILE",
    kind: path("the path of a file"),
    unset: "none",
    does: "The secrets that they are signed with, a line each: `whsec_BASE64`, as Standard Webhooks has them. Each signs, so that one can be replaced while the receiver still has the other.",
  },
  notifyKinds: {
    variable: "BREAKGLASS_NOTIFY_KINDS",
    kind: notificationKinds,
    default: "approval.requested,approval.resolved,turn.ended",
    does: "What is told.",
  },
  notifyContent: {
    variable: "BREAKGLASS_NOTIFY_CONTENT",
    kind: choice("0", "1"),
    default: "0",
    does: "With `1` the beginning of prompts, tool inputs and results is sent too. Without it nothing that was said or read is sent.",
  },
  notifyCa: {
    variable: "BREAKGLASS_NOTIFY_CA",
    kind: path("the path of a PEM file"),
    unset: "those of Node and of `NODE_EXTRA_CA_CERTS`",
    does: "The authorities that the receiver's certificate is verified by, and no others.",
  },
  notifyTimeoutMs: {
    variable: "BREAKGLASS_NOTIFY_TIMEOUT_SECONDS",
    kind: seconds(1, 300),
    default: "15",
    does: "How long the receiver may take to answer.",
  },
  notifyKeepMs: {
    variable: "BREAKGLASS_NOTIFY_KEEP_SECONDS",
    kind: seconds(60, 31_536_000),
    default: "259200",
    does: "How long it is tried to tell what happened. Then it is given up, with a line in the log.",
  },
  publicUrl: {
    variable: "BREAKGLASS_PUBLIC_URL",
    kind: serverUrl,
    unset: "none: notifications have no link",
    does: "The address by which people reach the server's page. A notification links to `/turns/ID` below it.",
  },
} as const satisfies Settings;
