import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { z } from "zod";

const MIB = 1024 * 1024;

/** A setting that cannot be used. The message is one line that names the variable, the value and what it takes. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the server listens. */
export interface ListenAddress {
  /** A host name or an address, without brackets. */
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

const listen = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/)
  .transform((text): ListenAddress => {
    const colon = text.lastIndexOf(":");
    return {
      host: text.slice(0, colon).replace(/^\[|\]$/g, ""),
      port: Number(text.slice(colon + 1)),
    };
  })
  .refine((address) => address.port <= 65_535);

const absolutePath = z
  .string()
  .refine((path) => !path.includes("\0"))
  .transform((path) => resolve(path));
/** A name stays one; a path is the server's, and never one in the workspace where it is run. */
const executable = z
  .string()
  .refine((path) => !path.includes("\0"))
  .transform((path) => (path.includes("/") ? resolve(path) : path));
const name = z
  .string()
  .max(256)
  .regex(/^[A-Za-z0-9._:/@][A-Za-z0-9._:/@-]*$/);

function whole(least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(least).max(most));
}

function list(item: z.ZodType<string, string>) {
  return z
    .string()
    .transform((text) =>
      text
        .split(",")
        .map((part) => part.trim())
        .filter((part) => part !== ""),
    )
    .pipe(z.array(item));
}

const origin = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).origin === text && text !== "null");

/**
 * One row a variable: what it takes (for the error), how it is read, and what it is where unset or empty.
 * The README's table of variables is checked against it.
 */
export const VARIABLES = {
  BREAKGLASS_LISTEN: {
    takes: "HOST:PORT, such as 127.0.0.1:7433",
    schema: listen,
    unset: "127.0.0.1:7433",
  },
  BREAKGLASS_TLS_CERT: { takes: "the path of a PEM file", schema: absolutePath, unset: undefined },
  BREAKGLASS_TLS_KEY: { takes: "the path of a PEM file", schema: absolutePath, unset: undefined },
  BREAKGLASS_DATA_DIR: { takes: "a directory", schema: absolutePath, unset: undefined },
  BREAKGLASS_SESSIONS_DIR: { takes: "a directory", schema: absolutePath, unset: undefined },
  BREAKGLASS_AGENT_COMMAND: {
    takes: "the path or the name of one executable, without arguments",
    schema: executable,
    unset: undefined,
  },
  BREAKGLASS_AGENT: {
    takes: "letters, digits and ._:/@-, not beginning with -",
    schema: name,
    unset: "breakglass",
  },
  BREAKGLASS_MODEL: {
    takes: "letters, digits and ._:/@-, not beginning with -",
    schema: name,
    unset: "sonnet",
  },
  BREAKGLASS_AGENT_ENV: {
    takes: "names of environment variables, separated by commas",
    schema: list(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/)),
    unset: "",
  },
  BREAKGLASS_TURN_TIMEOUT_SECONDS: {
    takes: "a whole number from 1 to 604800",
    schema: whole(1, 604_800),
    unset: "1800",
  },
  BREAKGLASS_IDLE_TIMEOUT_SECONDS: {
    takes: "a whole number from 1 to 604800",
    schema: whole(1, 604_800),
    unset: "900",
  },
  BREAKGLASS_MAX_CONCURRENT_TURNS: {
    takes: "a whole number from 1 to 100000",
    schema: whole(1, 100_000),
    unset: "16",
  },
  BREAKGLASS_MAX_WARM_PROCESSES: {
    takes: "a whole number from 0 to 10000",
    schema: whole(0, 10_000),
    unset: "8",
  },
  BREAKGLASS_WARM_SECONDS: {
    takes: "a whole number from 1 to 604800",
    schema: whole(1, 604_800),
    unset: "600",
  },
  BREAKGLASS_SPARE_PROCESSES: {
    takes: "a whole number from 0 to 100",
    schema: whole(0, 100),
    unset: "0",
  },
  BREAKGLASS_PERMISSION_MODE: {
    takes: "bypass or ask",
    schema: z.enum(["bypass", "ask"]),
    unset: "bypass",
  },
  BREAKGLASS_RULES_FILE: { takes: "the path of a file", schema: absolutePath, unset: undefined },
  BREAKGLASS_WORKSPACE_TRUST: {
    takes: "untrusted or trusted",
    schema: z.enum(["untrusted", "trusted"]),
    unset: "untrusted",
  },
  BREAKGLASS_APPROVAL_SECONDS: {
    takes: "a whole number from 1 to 604800",
    schema: whole(1, 604_800),
    unset: "600",
  },
  BREAKGLASS_APPROVERS: {
    takes: "principals, separated by commas",
    schema: list(z.string().regex(/^[!-~]+$/)),
    unset: "",
  },
  BREAKGLASS_SELF_APPROVAL: {
    takes: "allowed or forbidden",
    schema: z.enum(["allowed", "forbidden"]),
    unset: "allowed",
  },
  BREAKGLASS_MAX_ATTACHMENT_BYTES: {
    takes: `a whole number from 0 to ${64 * MIB}`,
    schema: whole(0, 64 * MIB),
    unset: String(8 * MIB),
  },
  BREAKGLASS_MAX_PROMPT_BYTES: {
    takes: `a whole number from 1 to ${8 * MIB} (the CLI refuses more than 10 MB)`,
    schema: whole(1, 8 * MIB),
    unset: String(2 * MIB),
  },
  BREAKGLASS_MAX_LINE_BYTES: {
    takes: `a whole number from 65536 to ${256 * MIB}`,
    schema: whole(65_536, 256 * MIB),
    unset: String(32 * MIB),
  },
  BREAKGLASS_MAX_EVENT_BYTES: {
    takes: `a whole number from 16384 to ${3 * MIB}`,
    schema: whole(16_384, 3 * MIB),
    unset: String(3 * MIB),
  },
  BREAKGLASS_MAX_TURN_BYTES: {
    takes: "a whole number from 65536 to 1099511627776",
    schema: whole(65_536, 2 ** 40),
    unset: String(512 * MIB),
  },
  BREAKGLASS_MAX_SUBSCRIPTIONS: {
    takes: "a whole number from 1 to 1000000",
    schema: whole(1, 1_000_000),
    unset: "20000",
  },
  BREAKGLASS_MAX_TURN_SUBSCRIPTIONS: {
    takes: "a whole number from 1 to 1000000",
    schema: whole(1, 1_000_000),
    unset: "12000",
  },
  BREAKGLASS_MAX_SESSION_TURNS: {
    takes: "a whole number from 1 to 1000000",
    schema: whole(1, 1_000_000),
    unset: "10000",
  },
  BREAKGLASS_MAX_CONNECTIONS: {
    takes: "a whole number from 1 to 1000000",
    schema: whole(1, 1_000_000),
    unset: "16384",
  },
  BREAKGLASS_READER_STALL_SECONDS: {
    takes: "a whole number from 1 to 3600",
    schema: whole(1, 3600),
    unset: "30",
  },
  BREAKGLASS_MAX_STALLED_BYTES: {
    takes: `a whole number from ${MIB} to ${1024 * 1024 * MIB}`,
    schema: whole(MIB, 2 ** 40),
    unset: String(64 * MIB),
  },
  BREAKGLASS_PING_SECONDS: {
    takes: "a whole number from 1 to 3600",
    schema: whole(1, 3600),
    unset: "20",
  },
  BREAKGLASS_DRAIN_SECONDS: {
    takes: "a whole number from 0 to 604800",
    schema: whole(0, 604_800),
    unset: "10",
  },
  BREAKGLASS_RETENTION_SECONDS: {
    takes: "a whole number from 0 (keep everything) to 3153600000",
    schema: whole(0, 3_153_600_000),
    unset: "2592000",
  },
  BREAKGLASS_ALLOWED_ORIGINS: {
    takes: "origins such as https://ops.example.com, separated by commas",
    schema: list(origin),
    unset: "",
  },
  BREAKGLASS_ALLOWED_HOSTS: {
    takes:
      "hosts as clients name them, with the port where it is not the scheme's own, separated by commas",
    schema: list(
      z
        .string()
        .regex(/^[^/\s@]+$/)
        .transform((host) => host.toLowerCase()),
    ),
    unset: "",
  },
  BREAKGLASS_TOKENS_FILE: { takes: "the path of a file", schema: absolutePath, unset: undefined },
  BREAKGLASS_URL: {
    takes: "an http or https URL",
    schema: z.url({ protocol: /^https?$/ }),
    unset: "http://127.0.0.1:7433",
  },
  BREAKGLASS_TOKEN: {
    takes: "printable ASCII without spaces",
    schema: z.string().regex(/^[!-~]+$/),
    unset: undefined,
    secret: true,
  },
} as const satisfies Record<
  string,
  { takes: string; schema: z.ZodType; unset: string | undefined; secret?: true }
>;

type Name = keyof typeof VARIABLES;
type Value<N extends Name> =
  | z.output<(typeof VARIABLES)[N]["schema"]>
  | ((typeof VARIABLES)[N]["unset"] extends string ? never : undefined);

function read<N extends Name>(environment: Environment, variable: N): Value<N> {
  const { takes, schema, unset } = VARIABLES[variable];
  const text = environment[variable] || unset;
  if (text === undefined) return undefined as Value<N>;
  const parsed = schema.safeParse(text);
  if (parsed.success) return parsed.data as Value<N>;
  const shown = "secret" in VARIABLES[variable] ? "not usable" : JSON.stringify(text);
  throw new ConfigError(`${variable} is ${shown}, but takes ${takes}`);
}

/** What `serve` needs to know; nothing in it is read again later. */
export type ServeConfig = ReturnType<typeof readServeConfig>;

/**
 * Reads the server's settings.
 *
 * @throws ConfigError for the first variable that cannot be used.
 */
export function readServeConfig(environment: Environment = process.env) {
  const dataDir = read(environment, "BREAKGLASS_DATA_DIR") ?? defaultDataDir(environment);
  // The CLI keeps its conversations there, which each turn looks for.
  if (!environment.CLAUDE_CONFIG_DIR) homeOf(environment);
  const cert = read(environment, "BREAKGLASS_TLS_CERT");
  const key = read(environment, "BREAKGLASS_TLS_KEY");
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "BREAKGLASS_TLS_CERT" : "BREAKGLASS_TLS_KEY";
    throw new ConfigError(
      `${missing} is not set, but TLS takes both BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY`,
    );
  }
  return {
    listen: read(environment, "BREAKGLASS_LISTEN"),
    tls: cert === undefined || key === undefined ? undefined : { cert, key },
    dataDir,
    sessionsDir: read(environment, "BREAKGLASS_SESSIONS_DIR") ?? join(dataDir, "sessions"),
    agentCommand: read(environment, "BREAKGLASS_AGENT_COMMAND"),
    agent: read(environment, "BREAKGLASS_AGENT"),
    model: read(environment, "BREAKGLASS_MODEL"),
    agentEnv: read(environment, "BREAKGLASS_AGENT_ENV"),
    turnTimeoutMs: read(environment, "BREAKGLASS_TURN_TIMEOUT_SECONDS") * 1000,
    idleTimeoutMs: read(environment, "BREAKGLASS_IDLE_TIMEOUT_SECONDS") * 1000,
    maxConcurrentTurns: read(environment, "BREAKGLASS_MAX_CONCURRENT_TURNS"),
    maxWarmProcesses: read(environment, "BREAKGLASS_MAX_WARM_PROCESSES"),
    warmMs: read(environment, "BREAKGLASS_WARM_SECONDS") * 1000,
    spareProcesses: read(environment, "BREAKGLASS_SPARE_PROCESSES"),
    permissionMode: read(environment, "BREAKGLASS_PERMISSION_MODE"),
    rulesFile: read(environment, "BREAKGLASS_RULES_FILE"),
    workspaceTrust: read(environment, "BREAKGLASS_WORKSPACE_TRUST"),
    approvalMs: read(environment, "BREAKGLASS_APPROVAL_SECONDS") * 1000,
    approvers: read(environment, "BREAKGLASS_APPROVERS"),
    selfApproval: read(environment, "BREAKGLASS_SELF_APPROVAL"),
    maxAttachmentBytes: read(environment, "BREAKGLASS_MAX_ATTACHMENT_BYTES"),
    maxPromptBytes: read(environment, "BREAKGLASS_MAX_PROMPT_BYTES"),
    maxLineBytes: read(environment, "BREAKGLASS_MAX_LINE_BYTES"),
    maxEventBytes: read(environment, "BREAKGLASS_MAX_EVENT_BYTES"),
    maxTurnBytes: read(environment, "BREAKGLASS_MAX_TURN_BYTES"),
    maxSubscriptions: read(environment, "BREAKGLASS_MAX_SUBSCRIPTIONS"),
    maxTurnSubscriptions: read(environment, "BREAKGLASS_MAX_TURN_SUBSCRIPTIONS"),
    maxSessionTurns: read(environment, "BREAKGLASS_MAX_SESSION_TURNS"),
    maxConnections: read(environment, "BREAKGLASS_MAX_CONNECTIONS"),
    readerStallMs: read(environment, "BREAKGLASS_READER_STALL_SECONDS") * 1000,
    maxStalledBytes: read(environment, "BREAKGLASS_MAX_STALLED_BYTES"),
    pingMs: read(environment, "BREAKGLASS_PING_SECONDS") * 1000,
    drainMs: read(environment, "BREAKGLASS_DRAIN_SECONDS") * 1000,
    /** 0: ended turns are kept for good. */
    retentionMs: read(environment, "BREAKGLASS_RETENTION_SECONDS") * 1000,
    allowedOrigins: read(environment, "BREAKGLASS_ALLOWED_ORIGINS"),
    allowedHosts: read(environment, "BREAKGLASS_ALLOWED_HOSTS"),
    tokensFile: read(environment, "BREAKGLASS_TOKENS_FILE"),
    /** The server's own environment, from which the agent's is picked by an allow-list. */
    environment: { ...environment } as Environment,
  };
}

/** What the commands that talk to a server need to know. */
export interface ClientConfig {
  readonly url: string;
  /** The bearer token. Undefined: the server asks for none. */
  readonly token: string | undefined;
}

/**
 * Reads the settings of the commands that talk to a server.
 *
 * @param url - What the command line says; it wins over `BREAKGLASS_URL`.
 * @throws ConfigError for the first variable that cannot be used.
 */
export function readClientConfig(
  url?: string,
  environment: Environment = process.env,
): ClientConfig {
  const asked = url === undefined ? environment : { ...environment, BREAKGLASS_URL: url };
  return { url: read(asked, "BREAKGLASS_URL"), token: read(environment, "BREAKGLASS_TOKEN") };
}

/** Whether output may be colored: `NO_COLOR` is unset or empty (no-color.org). */
export function readColorWanted(environment: Environment = process.env): boolean {
  return !environment.NO_COLOR;
}

/** Where programs are looked for; all that the drill takes from the environment. */
export function readSearchPath(environment: Environment = process.env): string {
  return environment.PATH ?? "";
}

function defaultDataDir(environment: Environment): string {
  // The XDG specification: a relative path is invalid and to be ignored.
  const state = environment.XDG_STATE_HOME;
  const parent = state && isAbsolute(state) ? state : join(homeOf(environment), ".local", "state");
  return join(parent, "breakglass");
}

/** @throws ConfigError where there is none, as for a user of a container who is nothing but a number. */
function homeOf(environment: Environment): string {
  if (environment.HOME) return environment.HOME;
  try {
    return homedir();
  } catch {
    throw new ConfigError(
      "HOME is not set, and the server's user has no home directory: set it to a directory of that user's",
    );
  }
}
