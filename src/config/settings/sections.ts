import type { Setting } from "../setting.ts";
import { AGENT_SETTINGS } from "./agent.ts";
import { APPROVAL_SETTINGS } from "./approvals.ts";
import { AUDIT_SETTINGS } from "./audit.ts";
import { CLUSTER_SETTINGS } from "./cluster.ts";
import { COMMAND_SETTINGS } from "./commands.ts";
import { CONNECTION_SETTINGS } from "./connections.ts";
import { IDENTITY_SETTINGS } from "./identity.ts";
import { NOTIFICATION_SETTINGS } from "./notifications.ts";
import { SECRET_SETTINGS } from "./secrets.ts";
import { SPENDING_SETTINGS } from "./spending.ts";
import { STORAGE_SETTINGS } from "./storage.ts";
import { TELEMETRY_SETTINGS } from "./telemetry.ts";
import { TURN_SETTINGS } from "./turns.ts";

/** Settings that documents show together. */
export interface Section {
  readonly title: string;
  readonly settings: readonly Setting[];
}

/** All that `serve` reads, by the names in its configuration. */
export const SERVE_SETTINGS = {
  ...CONNECTION_SETTINGS,
  ...IDENTITY_SETTINGS,
  ...STORAGE_SETTINGS,
  ...AGENT_SETTINGS,
  ...TURN_SETTINGS,
  ...SPENDING_SETTINGS,
  ...APPROVAL_SETTINGS,
  ...NOTIFICATION_SETTINGS,
  ...SECRET_SETTINGS,
  ...TELEMETRY_SETTINGS,
  ...AUDIT_SETTINGS,
  ...CLUSTER_SETTINGS,
} as const;

/** The same in the order of the documents. */
export const SERVE_SECTIONS: readonly Section[] = [
  { title: "Connections", settings: Object.values(CONNECTION_SETTINGS) },
  { title: "Signing in", settings: Object.values(IDENTITY_SETTINGS) },
  { title: "Approvals", settings: Object.values(APPROVAL_SETTINGS) },
  { title: "Turns", settings: Object.values(TURN_SETTINGS) },
  { title: "Spending", settings: Object.values(SPENDING_SETTINGS) },
  { title: "Agent", settings: Object.values(AGENT_SETTINGS) },
  { title: "Notifications", settings: Object.values(NOTIFICATION_SETTINGS) },
  { title: "Secrets", settings: Object.values(SECRET_SETTINGS) },
  { title: "Storage", settings: Object.values(STORAGE_SETTINGS) },
  { title: "Telemetry", settings: Object.values(TELEMETRY_SETTINGS) },
  { title: "Audit", settings: Object.values(AUDIT_SETTINGS) },
  { title: "Several replicas", settings: Object.values(CLUSTER_SETTINGS) },
];

/** What the commands read that talk to a server. */
export const COMMAND_SECTION: Section = {
  title: "The server to call",
  settings: Object.values(COMMAND_SETTINGS),
};

/** Every setting there is. */
export const ALL_SETTINGS: readonly Setting[] = [...SERVE_SECTIONS, COMMAND_SECTION].flatMap(
  ({ settings }) => settings,
);
