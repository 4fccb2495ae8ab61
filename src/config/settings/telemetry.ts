import { choice, headers, serverUrl, tokenHash } from "../kinds.ts";
import type { Settings } from "../setting.ts";

/** What the server tells of itself, and to whom. */
export const TELEMETRY_SETTINGS = {
  logLevel: {
    variable: "BREAKGLASS_LOG_LEVEL",
    kind: choice("info", "warn", "error"),
    default: "info",
    does: "The least urgent lines that the log has.",
  },
  metrics: {
    variable: "BREAKGLASS_METRICS",
    kind: choice("callers", "open", "off"),
    default: "callers",
    does: "Who may read `/metrics`. `callers`: whoever may call the server. `open`: whoever reaches it by a name of its own. `off`: nobody, and nothing is counted.",
  },
  metricsToken: {
    variable: "BREAKGLASS_METRICS_TOKEN",
    kind: tokenHash,
    unset: "none",
    does: "The hash of a token that opens `/metrics` and nothing else.",
  },
  otlpUrl: {
    variable: "BREAKGLASS_OTLP_URL",
    kind: serverUrl,
    unset: "none: no trace is made",
    does: "The OpenTelemetry collector that a trace of each turn is sent to, by OTLP over HTTP: its address without `/v1/traces`, such as `http://127.0.0.1:4318`.",
  },
  otlpProtocol: {
    variable: "BREAKGLASS_OTLP_PROTOCOL",
    kind: choice("http/protobuf", "http/json"),
    default: "http/protobuf",
    does: "How spans are written for the collector.",
  },
  otlpHeaders: {
    variable: "BREAKGLASS_OTLP_HEADERS",
    kind: headers,
    default: "",
    does: "Headers for the collector, such as `authorization=Bearer%20TOKEN,x-scope-orgid=ops`.",
    isSecret: true,
  },
} as const satisfies Settings;
