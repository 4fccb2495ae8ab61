import type { EventKind } from "./agent.ts";

/** So many calls are followed at a time; a model makes a handful. */
const MAX_OPEN = 1000;

/** The calls of tools of one turn that have not been answered. */
export class OpenTools {
  readonly #ids = new Set<string>();

  get isEmpty(): boolean {
    return this.#ids.size === 0;
  }

  /** Takes note of an event of the turn. */
  note(event: EventKind): void {
    if (event.case === "tool" && this.#ids.size < MAX_OPEN) this.#ids.add(event.value.toolId);
    if (event.case === "toolResult") this.#ids.delete(event.value.toolId);
  }
}
