import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Holds a scripted agent until a test lets it go on. */
export interface Gate {
  /** The step that waits. */
  readonly step: string;
  open(): void;
}

/** Makes one in a directory that outlives the turn. */
export function createGate(directory: string): Gate {
  const path = join(directory, `gate-${randomUUID()}`);
  return { step: `wait ${path}`, open: () => writeFileSync(path, "") };
}

/** A prompt of the scripted agent: its steps, a line each. */
export function script(...steps: string[]): string {
  return steps.join("\n");
}
