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
