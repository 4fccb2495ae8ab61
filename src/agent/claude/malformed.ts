import type { z } from "zod";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import type { SkipCause } from "../../stream/byte-lines.ts";
import type { EventKind } from "../agent.ts";
import { label, noticeEvent } from "../events.ts";
import type { ThrownAway } from "./framing.ts";
import { decode } from "./json-bytes.ts";
import { MAX_VALUES } from "./line.ts";

/**
 * So many entries of a list in a line are looked at; the CLI is not known to print half of that. A line of 32 MiB holds
 * millions of the smallest ones, each of them some microseconds of the server's thread and hundreds of bytes.
 */
export const MAX_ENTRIES = 1000;

/**
 * The notice of what is not what the CLI prints: a line, or what is in one beside so many messages.
 */
export function malformedLine({ bytes, beginning }: ThrownAway, messages: number): EventKind {
  // Its last character may be cut.
  const quoted = JSON.stringify(decode(beginning).replace(/\ufffd$/, ""));
  if (messages === 0) return notice(`a line that is no message: it begins with ${quoted}`);
  const beside = messages === 1 ? "a message" : `${messages} messages`;
  return notice(`${bytes} bytes beside ${beside} in a line: ${quoted}`, "they were skipped");
}

/** The notice of what is told by its number alone. */
export function malformedCount(untold: number, all: number): EventKind {
  const what =
    untold === 1
      ? "one more line or part of one that is"
      : `${untold} more lines or parts of some that are`;
  return notice(`${what} no message, or malformed`, `${all} were skipped so far`);
}

/** The notice of a message, or a part of one, of a known kind but without what that kind must have. */
export function malformedPart(kind: string, error: z.ZodError): EventKind {
  const [issue] = error.issues;
  const where = issue?.path.join(".") || "it";
  return notice(`a malformed ${kind}: ${where}: ${issue?.message ?? "unusable"}`);
}

/** The notice of a block of a kind that is not known. */
export function unknownBlock(type: unknown): EventKind {
  const kind =
    typeof type === "string" ? `the unknown kind ${JSON.stringify(label(type))}` : "no kind";
  return notice(`a block of ${kind}`);
}

/** The notice of a message with more than `MAX_ENTRIES` blocks. */
export function excessBlocks(count: number): EventKind {
  const rest = `those after the first ${MAX_ENTRIES} were skipped`;
  return notice(`a message of ${count} blocks`, rest);
}

/** Why a line is not taken, of whatever kind it may be. */
export type RefusalCause = SkipCause | "values";

/** The notice of a line that was not read. */
export function refusedLine(bytes: number, cause: RefusalCause): EventKind {
  const why = {
    limit: "more than the server takes (BREAKGLASS_MAX_LINE_BYTES)",
    values: `with more than ${MAX_VALUES} values`,
    memory: "for which the server had no memory left beside what it holds of other agents",
    thread: "which the server's thread for long lines did not survive",
  }[cause];
  return notice(`a line of ${bytes} bytes, ${why}`);
}

function notice(what: string, consequence = "it was skipped"): EventKind {
  return noticeEvent(NoticeReason.MALFORMED_OUTPUT, `The agent printed ${what}; ${consequence}`);
}
