import type { ServeConfig } from "../config/serve-config.ts";
import type { Obstacle } from "../obstacle.ts";

/** How serious what was found is: with a warning the server serves, and something is lacking or soon will be. */
export type Severity = "warning" | "failure";

/** What a look at a part of the machine found. */
export interface Outcome {
  /** How it stands, as a sentence without its full stop. */
  readonly text: string;
  /** Undefined: all is well. */
  readonly problem?: { readonly severity: Severity; readonly mend: string };
}

/** What can be looked at once the settings are known. */
export interface MachineCheck {
  /** A name for programs, such as `disk`. */
  readonly name: string;
  /** Undefined: there is nothing of the kind here. Bounded in time; what it throws is a failure. */
  look(config: ServeConfig, signal: AbortSignal): Promise<Outcome | undefined>;
}

export function well(text: string): Outcome {
  return { text };
}

export function warning(text: string, mend: string): Outcome {
  return { text, problem: { severity: "warning", mend } };
}

export function failure(text: string, mend: string): Outcome {
  return { text, problem: { severity: "failure", mend } };
}

/** What is in the way, or how it stands where nothing is. */
export function failureOr(obstacle: Obstacle | undefined, text: string): Outcome {
  return obstacle === undefined ? well(text) : failure(obstacle.why, obstacle.mend);
}
