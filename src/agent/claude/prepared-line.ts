import type { ResultEvent } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../agent.ts";
import type { JsonText } from "../events.ts";
import { weightOf } from "../idle-events.ts";
import type { ThrownAway } from "./framing.ts";
import type { Message } from "./line.ts";
import type { LineContent } from "./line-content.ts";
import type { LineReader } from "./read-line.ts";

/** What is large of a message beside itself, as the turn keeps it. */
export interface LargeContent {
  /** What its blocks mean. */
  readonly events?: readonly EventKind[];
  /** Without its cost. */
  readonly result?: ResultEvent;
  readonly input?: JsonText;
}

/** So much is given in one go, and so much may be printed for it. */
const GROUP = { parts: 50, bytes: 64 * 1024 };

/** What a long line comes to, or a part of it. It can be handed from thread to thread. */
export type PreparedPart =
  | {
      readonly is: "message";
      readonly message: Message;
      readonly content: LargeContent;
      readonly printedBytes: number;
    }
  | { readonly is: "malformed"; readonly thrown: ThrownAway; readonly messages: number }
  | { readonly is: "refused"; readonly bytes: number; readonly cause: "values" | "thread" };

/** Gives a part to who would have read the line. */
export function givePart(part: PreparedPart, to: LineReader): void {
  if (part.is === "malformed") to.malformed(part.thrown, part.messages);
  else if (part.is === "refused") to.refused(part.bytes, part.cause);
  else to.message(part.message, new PreparedLine(part.content, part.printedBytes));
}

/**
 * Parts in their order, so many together as can be given without anybody waiting for it: a line can be thousands of
 * messages, and each group has to wait for its turn.
 */
export function inGroups(parts: readonly PreparedPart[]): PreparedPart[][] {
  const groups: PreparedPart[][] = [];
  let bytes = 0;
  for (const part of parts) {
    const printed = part.is === "message" ? part.printedBytes : 0;
    const last = groups.at(-1);
    if (last === undefined || last.length >= GROUP.parts || bytes + printed > GROUP.bytes) {
      groups.push([part]);
      bytes = printed;
    } else {
      last.push(part);
      bytes += printed;
    }
  }
  return groups;
}

/** About how many bytes a part holds. */
export function sizeOf(part: PreparedPart): number {
  return part.is === "message" ? heldBytesOf(part.content) : 0;
}

/** A line that was read elsewhere. */
class PreparedLine implements LineContent {
  readonly printedBytes: number;
  readonly #content: LargeContent;

  constructor(content: LargeContent, printedBytes: number) {
    this.printedBytes = printedBytes;
    this.#content = content;
  }

  get heldBytes(): number {
    return heldBytesOf(this.#content);
  }

  appendBlocks(_message: unknown, into: EventKind[]): void {
    into.push(...(this.#content.events ?? []));
  }

  appendToolResults(_message: unknown, into: EventKind[]): void {
    into.push(...(this.#content.events ?? []));
  }

  resultOf(_message: unknown, totalCostUsd: number): ResultEvent {
    return { ...this.#content.result!, totalCostUsd };
  }

  inputOf(): JsonText {
    return this.#content.input!;
  }
}

function heldBytesOf({ events = [], result, input }: LargeContent): number {
  const denials = result?.permissionDenials ?? [];
  return (
    weightOf(...events) +
    (result?.result.length ?? 0) +
    (result?.structuredOutputJson.length ?? 0) +
    denials.reduce((sum, { inputJson }) => sum + inputJson.length, 0) +
    (input?.json.length ?? 0)
  );
}
