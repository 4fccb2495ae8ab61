import type { EventKind } from "../agent/agent.ts";
import { MARK, mergedRanges, replaced, type TextRange } from "../redaction/ranges.ts";
import type { Redaction } from "../redaction/redaction.ts";
import { CONTEXT } from "../redaction/secret-finder.ts";
import { TextStream } from "../redaction/text-stream.ts";

type SpokenKind = Extract<EventKind, { case: "text" | "thinking" }>;
type TextPiece = Extract<EventKind, { case: "textDelta" }>;

/** What is held of texts, at most: those behind them are given out with them. */
const MOST_HELD = { texts: 16, units: 64 * 1024 };
/** Of so many voices the end is known of what they said: the agent's, and its subagents'. */
const MOST_VOICES = 16;
/** The agent's stderr is a tail where it is so long: it may begin within a secret. */
const STDERR_TAIL_BYTES = 8000;

/**
 * Takes secrets out of a turn's events before they are recorded or shown.
 *
 * 1. A text that seems to end within a secret waits for what comes next, so that a secret in two texts is in neither. What is
 *    being written meanwhile is not shown: it is provisional.
 * 2. What an approver is asked loses known values, and of other forms what hides from him nothing that is to be run. He sees
 *    what is recorded, and no more.
 * 3. JSON stays JSON.
 */
export class EventRedaction {
  readonly #redaction: Redaction;
  #held: SpokenKind[] = [];
  /** By voice, the end of what was said, as it was. */
  readonly #said = new Map<string, string>();
  #pieces: { readonly messageId: string; readonly stream: TextStream } | undefined;

  constructor(redaction: Redaction) {
    this.#redaction = redaction;
  }

  /** Takes events, and answers those that can be recorded or shown now, in their order. They are changed in place. */
  take(kinds: readonly EventKind[]): EventKind[] {
    return kinds.flatMap((kind) => {
      if (kind.case === "textDelta") return this.#piece(kind);
      if (kind.case === "text" || kind.case === "thinking") return this.#spoken(kind);
      this.#redact(kind);
      return [...this.release(), kind];
    });
  }

  /** Answers what waits, for nothing comes that it could wait for; or only the first of it. */
  release(count = this.#held.length): EventKind[] {
    const { finder } = this.#redaction;
    const held = this.#held;
    const [first] = held;
    if (first === undefined || count === 0) return [];
    const voice = voiceOf(first);
    const before = this.#said.get(voice) ?? "";
    const all = before + textOf(held);
    const ranges = this.#rangesIn(all, held, before.length);
    this.#held = held.slice(count);
    let at = before.length;
    for (const { value } of held.slice(0, count)) {
      const end = at + value.text.length;
      const isBegun = at > before.length;
      // The bound of an event cut it: what it ends with may be the beginning of a secret.
      const open = value.truncated ? Math.max(at, finder.openFrom(all.slice(0, end))) : end;
      value.text = replaced(all, ranges, at, Math.min(open, end), isBegun);
      if (open < end) value.text += MARK;
      at = end;
    }
    this.#remember(voice, all.slice(0, at));
    return held.slice(0, count);
  }

  #spoken(kind: SpokenKind): EventKind[] {
    if (kind.value.parentToolId === "" && kind.case === "text") this.#pieces = undefined;
    const [first] = this.#held;
    const others = first !== undefined && voiceOf(first) !== voiceOf(kind) ? this.release() : [];
    this.#held.push(kind);
    return [...others, ...this.release(this.#closedCount())];
  }

  /** How many of the texts that wait end before what a secret may go on from. All, where that is too much. */
  #closedCount(): number {
    const before = this.#said.get(voiceOf(this.#held[0]!)) ?? "";
    const text = before + textOf(this.#held);
    const open = this.#redaction.finder.likelyOpenFrom(text) ?? text.length; // 1.
    let [count, end] = [0, before.length];
    for (const { value } of this.#held) {
      end += value.text.length;
      if (end > open) break;
      count++;
    }
    const [texts, units] = [this.#held.length - count, text.length - open];
    const isFull = texts >= MOST_HELD.texts || units > MOST_HELD.units;
    return isFull ? this.#held.length : count;
  }

  /** Secrets in texts as they stand together, and in each by itself: a word may end where the next text begins. */
  #rangesIn(all: string, texts: readonly SpokenKind[], from: number): TextRange[] {
    const { finder } = this.#redaction;
    const ranges = finder.find(all);
    let at = from;
    for (const { value } of texts) {
      for (const { start, end } of finder.find(value.text)) {
        ranges.push({ start: at + start, end: at + end });
      }
      at += value.text.length;
    }
    return mergedRanges(ranges);
  }

  #piece(kind: TextPiece): EventKind[] {
    const { text, messageId } = kind.value;
    if (this.#held.length > 0) return []; // 1.
    if (text === "" || this.#pieces?.messageId !== messageId) this.#pieces = undefined;
    if (text === "") return [kind];
    this.#pieces ??= { messageId, stream: new TextStream(this.#redaction.finder) };
    kind.value.text = this.#pieces.stream.push(text);
    return kind.value.text === "" ? [] : [kind];
  }

  #remember(voice: string, all: string): void {
    const from = this.#redaction.finder.openFrom(all);
    this.#said.delete(voice);
    this.#said.set(voice, all.slice(Math.max(0, Math.min(from, all.length) - CONTEXT)));
    const [oldest] = this.#said.keys();
    if (this.#said.size > MOST_VOICES) this.#said.delete(oldest!);
  }

  #redact(kind: EventKind): void {
    const { text, cutText, json, opaque, jsonOpaque } = this.#redaction;
    switch (kind.case) {
      case "tool":
        kind.value.inputJson = json(kind.value.inputJson);
        break;
      case "toolResult": {
        const { truncated, content } = kind.value;
        kind.value.content = truncated ? cutText(content) : text(content);
        break;
      }
      case "approvalRequest": // 2.
        kind.value.inputJson = jsonOpaque(kind.value.inputJson);
        kind.value.description = opaque(kind.value.description);
        break;
      case "approvalResolution":
        kind.value.inputJson = json(kind.value.inputJson);
        kind.value.message = text(kind.value.message);
        break;
      case "steer":
      case "notice":
        kind.value.message = text(kind.value.message);
        break;
      case "result":
        kind.value.result = kind.value.truncated
          ? cutText(kind.value.result)
          : text(kind.value.result);
        kind.value.structuredOutputJson = json(kind.value.structuredOutputJson);
        for (const denial of kind.value.permissionDenials)
          denial.inputJson = json(denial.inputJson);
        break;
      case "error":
        kind.value.message = text(kind.value.message);
        kind.value.stderrTail = this.#tail(kind.value.stderrTail);
    }
  }

  /** What is left of a word or a key that the beginning of a tail may have been cut within goes too. */
  #tail(tail: string): string {
    const isCut = Buffer.byteLength(tail) >= STDERR_TAIL_BYTES;
    const behind = isCut ? tail.replace(CUT_KEY, "").replace(CUT_WORD, "") : tail;
    return behind === tail ? this.#redaction.text(tail) : MARK + this.#redaction.text(behind);
  }
}

const CUT_KEY = /^(?:(?!-----BEGIN)[A-Za-z0-9+/=\s\\-])*?-----END[^-]{0,40}-----/;
const CUT_WORD = /^\S+/;

function voiceOf({ case: kind, value }: SpokenKind): string {
  return `${kind} ${value.parentToolId}`;
}

function textOf(kinds: readonly SpokenKind[]): string {
  return kinds.map(({ value }) => value.text).join("");
}
