import type { EventKind } from "../../src/agent/agent.ts";
import { readLine } from "../../src/agent/claude/read-line.ts";
import type { ClaudeTranslation } from "../../src/agent/claude/translation.ts";

/** Appends the events that a line, without its newline, means to a turn. */
export function translateLine(
  translation: ClaudeTranslation,
  bytes: Uint8Array,
  into: EventKind[],
): void {
  readLine(bytes, {
    message: (message, line) => translation.append(message, line, into),
    malformed: (thrown, messages) => translation.malformed(thrown, messages, into),
    refused: (length, cause) => translation.refused(length, cause, into),
  });
}
