import type { Obstacle } from "../obstacle.ts";

/** What was found of an agent's program, without a turn and without a call of its model. */
export interface AgentInspection {
  /** As the program says it. Empty: it says none. */
  readonly version: string;
  /** Why the program does not run. Undefined: it does. */
  readonly broken: Obstacle | undefined;
  /** Why its model will refuse it. Undefined: it has credentials, or may have them where they cannot be seen from here. */
  readonly unauthenticated: Obstacle | undefined;
}
