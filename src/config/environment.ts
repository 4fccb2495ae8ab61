/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What every variable of the service's own begins with. */
export const OWN_PREFIX = "BREAKGLASS_";

/** The variable that marks every process of a turn: set by the server, and by nobody else. */
export const PROCESS_ID_VARIABLE = "BREAKGLASS_PROCESS_ID";

/** Whether output may be colored: `NO_COLOR` is unset or empty (no-color.org). */
export function readColorWanted(environment: Environment = process.env): boolean {
  return !environment.NO_COLOR;
}

/** Where programs are looked for; all that the drill takes from the environment. */
export function readSearchPath(environment: Environment = process.env): string {
  return environment.PATH ?? "";
}

/** The variables of the service's own. */
export function readOwnVariables(environment: Environment = process.env): Environment {
  const own = Object.entries(environment).filter(([name]) => name.startsWith(OWN_PREFIX));
  return Object.fromEntries(own);
}

/** The variable in which the wrapper of a clone says how it was called. */
export const COMMAND_VARIABLE = "BREAKGLASS_COMMAND";

/** How the command line was called, as far as the environment tells. */
export interface CalledAs {
  /** The wrapper's own name, as it was typed. Empty: it was not called by the wrapper. */
  readonly wrapper: string;
  /** The script of npm's that calls it. Empty: none does. */
  readonly npmScript: string;
  /** `npx` calls it. */
  readonly isNpx: boolean;
  /** Options that npm took for itself, as `npm_config_json`, by their names here. */
  readonly npmTook: readonly string[];
  readonly searchPath: string;
}

/** Reads how the command line was called. */
export function readCalledAs(environment: Environment = process.env): CalledAs {
  const { npm_lifecycle_event: script = "", npm_command: command } = environment;
  const taken = /^npm_config_([a-z_]+)$/;
  return {
    wrapper: environment[COMMAND_VARIABLE] ?? "",
    npmScript: script,
    isNpx: command === "exec",
    npmTook: Object.keys(environment).flatMap((name) => {
      const [, option] = taken.exec(name) ?? [];
      return option === undefined ? [] : [option.replaceAll("_", "-")];
    }),
    searchPath: readSearchPath(environment),
  };
}

/** How systemd started the server, and wants to hear of it (sd_notify(3), sd_watchdog_enabled(3)). */
export interface Supervision {
  readonly socket: string;
  /** After so long without a word the server is taken for hung. Undefined: it is not. */
  readonly watchdogMs: number | undefined;
  readonly searchPath: string;
}

/** Reads whether systemd wants to hear how the server stands. Undefined: it does not. */
export function readSupervision(environment: Environment = process.env): Supervision | undefined {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC: usec = "", WATCHDOG_PID: pid } = environment;
  if (!socket) return undefined;
  const isOurs = !pid || Number(pid) === process.pid;
  const watchdogMs = isOurs && /^[1-9]\d{0,15}$/.test(usec) ? Number(usec) / 1000 : undefined;
  return { socket, watchdogMs, searchPath: readSearchPath(environment) };
}

/** The program that an operator edits texts with. */
export function readEditor(environment: Environment = process.env): string {
  return environment.VISUAL || environment.EDITOR || "vi";
}
