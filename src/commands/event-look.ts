import type { Terminal } from "./terminal.ts";

/** Styles a piece of what is shown, or leaves it as it is. */
export type EventStyle = Terminal["style"];

/** How events are shown. */
export interface EventLook {
  readonly style: EventStyle;
  /** Wraps what is neither prose nor an input or output. Undefined: it is not. */
  readonly wrap?: Terminal["wrap"];
  /** Inputs, outputs and what is said on one line else are shown whole. */
  readonly full?: boolean;
}
