import { bytes, path, postgresAddress, seconds, snapshotUrl, whole } from "../kinds.ts";
import { GIB, KIB, MIB } from "../quantity.ts";
import type { Settings } from "../setting.ts";

/** What is kept, where and for how long. */
export const STORAGE_SETTINGS = {
  dataDir: {
    variable: "BREAKGLASS_DATA_DIR",
    kind: path("a directory"),
    unset: "`$XDG_STATE_HOME/breakglass`, else `~/.local/state/breakglass`",
    does: "The directory of the store. No two servers share one.",
  },
  store: {
    variable: "BREAKGLASS_STORE",
    kind: postgresAddress,
    unset: "an SQLite file in the data directory",
    does: "The PostgreSQL database of the store, 15 or newer. Of several hosts it is the one that takes writes. TLS is verified, and may be left out (`sslmode=disable`) on this machine alone, where it is by default. What is not in the address is what `PGUSER`, `PGPASSWORD` and the like say.",
    isSecret: true,
  },
  storePasswordFile: {
    variable: "BREAKGLASS_STORE_PASSWORD_FILE",
    kind: path("the path of a file"),
    unset: "what the address or `PGPASSWORD` says",
    does: "The password of the store's database, the file's one line.",
  },
  leaseRenewMs: {
    variable: "BREAKGLASS_LEASE_RENEW_SECONDS",
    kind: seconds(1, 3600),
    default: "5",
    does: "How often a server on a PostgreSQL database says that it is there.",
  },
  leaseGraceMs: {
    variable: "BREAKGLASS_LEASE_GRACE_SECONDS",
    kind: seconds(2, 86_400),
    default: "30",
    does: "A server that could not say so for so long stops its agents. More than the database's own failover takes, and at least twice the time above.",
  },
  leaseMs: {
    variable: "BREAKGLASS_LEASE_SECONDS",
    kind: seconds(12, 172_800),
    default: "45",
    does: "A server that has not said so for so long may be taken for gone by the others: its turns end `LOST`, and its sessions go on elsewhere. 10 more than the grace at least, in which its agents are stopped.",
  },
  sessionsDir: {
    variable: "BREAKGLASS_SESSIONS_DIR",
    kind: path("a directory"),
    unset: "`sessions` in the data directory",
    does: "The directory of the sessions' workspaces.",
  },
  snapshotUrl: {
    variable: "BREAKGLASS_SNAPSHOT_URL",
    kind: snapshotUrl,
    unset: "no snapshots: a session that moves finds its workspace empty",
    does: "Where snapshots of workspaces are kept, for servers on one database: a session that moves to another one has the newest there. What is not in the URL is what `AWS_ACCESS_KEY_ID`, `AWS_REGION`, `AWS_ENDPOINT_URL_S3` and the like say.",
  },
  snapshotMaxBytes: {
    variable: "BREAKGLASS_SNAPSHOT_MAX_BYTES",
    kind: bytes(1, 2 ** 40),
    default: String(GIB),
    does: "How much the files of a workspace may have for a snapshot. Of one that is larger there is none.",
  },
  snapshotBytesPerSecond: {
    variable: "BREAKGLASS_SNAPSHOT_BYTES_PER_SECOND",
    kind: bytes(64 * KIB, 2 ** 40),
    default: String(50 * MIB),
    does: "How fast workspaces are read for snapshots, one at a time.",
  },
  snapshotIntervalMs: {
    variable: "BREAKGLASS_SNAPSHOT_INTERVAL_SECONDS",
    kind: seconds(0, 86_400),
    default: "60",
    does: "The time from one snapshot of a session to the next at least. What has come by then is in that one.",
  },
  reserveBytes: {
    variable: "BREAKGLASS_RESERVE_BYTES",
    kind: bytes(0, 2 ** 40),
    default: String(64 * MIB),
    does: "Room that is kept in the data directory for when the disk is full. It is given up then for the turns that make room. 0 keeps none.",
  },
  retentionMs: {
    variable: "BREAKGLASS_RETENTION_SECONDS",
    kind: seconds(0, 3_153_600_000),
    default: "2592000",
    does: "The age at which ended turns are removed, and sessions and their workspaces with the last turn. 0 keeps everything.",
  },
  maxSessionTurns: {
    variable: "BREAKGLASS_MAX_SESSION_TURNS",
    kind: whole(1, 1_000_000),
    default: "10000",
    does: "How many turns of a session are kept: `SESSION_FULL`.",
  },
  maxPrincipalSessions: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_SESSIONS",
    kind: whole(0, 1_000_000_000),
    default: "0",
    does: "How many sessions of a principal are kept: `QUOTA_EXCEEDED` refuses another. 0: no limit.",
  },
  maxPrincipalAttachmentBytes: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_ATTACHMENT_BYTES",
    kind: bytes(0, 2 ** 49),
    default: "0",
    does: "How large the attachments of all sessions of a principal may be together: `QUOTA_EXCEEDED`. 0: no limit.",
  },
  maxPrincipalWorkspaceBytes: {
    variable: "BREAKGLASS_MAX_PRINCIPAL_WORKSPACE_BYTES",
    kind: bytes(0, 2 ** 49),
    default: "0",
    does: "What the workspaces of a principal's sessions may hold, as it was measured last: `QUOTA_EXCEEDED` refuses the next turn. 0: no limit.",
  },
  maxWorkspaceBytes: {
    variable: "BREAKGLASS_MAX_WORKSPACE_BYTES",
    kind: bytes(0, 2 ** 49),
    default: "0",
    does: "What all workspaces may hold. Beyond it principals are refused who hold more than their share: `QUOTA_EXCEEDED`. 0: no limit.",
  },
  maxTurnBytes: {
    variable: "BREAKGLASS_MAX_TURN_BYTES",
    kind: bytes(64 * KIB, 2 ** 40),
    default: String(512 * MIB),
    does: "How large a turn's log may grow. At the limit the turn ends with `OUTPUT_LIMIT`.",
  },
} as const satisfies Settings;
