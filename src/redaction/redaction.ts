import { redactedJson } from "./json-text.ts";
import { MARK, replaced } from "./ranges.ts";
import { SecretFinder } from "./secret-finder.ts";

/** What is to be taken out of texts, beside credentials of well-known forms. */
export interface RedactionConfig {
  /** Secrets, wherever they occur, in base64, hexadecimal and URLs too. Those of less than 8 units are left alone. */
  readonly values: readonly string[];
}

/** Takes secrets out of texts, each in one go: what is cut into several is `TextStream`'s. */
export class Redaction {
  readonly finder: SecretFinder;

  /** @throws RangeError where there are too many values. */
  constructor({ values }: RedactionConfig) {
    this.finder = new SecretFinder(values);
  }

  /** A text with `[redacted]` in the place of each secret; the same one where there is none. */
  readonly text = (text: string): string => {
    const ranges = this.finder.find(text);
    return ranges.length === 0 ? text : replaced(text, ranges);
  };

  /**
   * The beginning of a text that was cut off, without what may belong to a secret that went on behind it.
   */
  readonly cutText = (text: string): string => {
    const open = this.finder.openFrom(text);
    return open === text.length ? this.text(text) : this.text(text.slice(0, open)) + MARK;
  };

  /** A text of JSON that is JSON still. */
  readonly json = (json: string): string => {
    return redactedJson(json, (text) => this.finder.find(text));
  };

  /** As `text`, for who decides whether it is run: what could hide something from them stays. */
  readonly opaque = (text: string): string => replaced(text, this.finder.findOpaque(text));

  /** As `json`, for who decides whether it is run. */
  readonly jsonOpaque = (json: string): string => {
    return redactedJson(json, (text) => this.finder.findOpaque(text));
  };

  /** A copy of a value that JSON can hold, names included. It must not refer to itself. */
  readonly value = <T>(value: T): T => this.#valueOf(value) as T;

  #valueOf(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.#valueOf(item));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([k, v]) => [this.text(k), this.#valueOf(v)]));
  }
}

/** What takes secrets out of a text: see `Redaction.text`. */
export function createRedaction(config: RedactionConfig): (text: string) => string {
  return new Redaction(config).text;
}

/** What takes secrets out of a value that JSON can hold: see `Redaction.value`. */
export function createValueRedaction(config: RedactionConfig): <T>(value: T) => T {
  return new Redaction(config).value;
}
