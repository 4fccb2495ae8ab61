import { serverUrl, token } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What the commands read that talk to a server. */
export const COMMAND_SETTINGS = {
  url: {
    variable: "BREAKGLASS_URL",
    kind: serverUrl,
    default: "http://127.0.0.1:7433",
    does: "The server to talk to. The option `--url` wins over it.",
  },
  token: {
    variable: "BREAKGLASS_TOKEN",
    kind: token,
    unset: "that of a server of the same user on this machine: `local-token` in its data directory",
    does: "The token to show to the server, where it asks for one.",
    isSecret: true,
  },
} as const satisfies Settings;
