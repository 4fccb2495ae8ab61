import { ZodObject } from "zod";
import type { Message } from "./line.ts";
import * as messages from "./messages.ts";

/** Of no text that `messages.ts` knows is more than half of that kept, but of those that are taken out of a message before. */
const TEXT_LENGTH = 32 * 1024;
/** More than all names and texts come to of any message that was seen. */
const ALL_LENGTH = 1024 * 1024;
/** Deeper nothing is known of any message. */
const MAX_DEPTH = 10;

/** The fields that some message has. */
const KNOWN = new Set([
  ...["type", "subtype", "isReplay"],
  ...Object.values(messages).flatMap((schema) =>
    schema instanceof ZodObject ? Object.keys(schema.shape) : [],
  ),
]);

/**
 * A message as small as it can be for what is made of it: what nobody looks into is left out, and texts are cut far behind
 * where events cut them.
 *
 * @returns `isCut`: something that may be looked into is not whole.
 */
export function smallMessage(message: Message): { message: Message; isCut: boolean } {
  const cut = new Cut();
  const known = Object.entries(message).filter(([name]) => KNOWN.has(name));
  return {
    message: cut.value(Object.fromEntries(known), 0) as Message,
    isCut: cut.isCut,
  };
}

/** Cuts the texts of one message. */
class Cut {
  #left = ALL_LENGTH;
  isCut = false;

  value(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.#text(value);
    if (typeof value !== "object" || value === null) return value;
    if (depth > MAX_DEPTH) {
      this.isCut = true;
      return null;
    }
    if (Array.isArray(value)) return value.map((item) => this.value(item, depth + 1));
    const fields: [string, unknown][] = [];
    for (const [name, field] of Object.entries(value)) {
      if (this.#text(name) === name) fields.push([name, this.value(field, depth + 1)]);
    }
    return Object.fromEntries(fields);
  }

  #text(text: string): string {
    const kept = Math.min(text.length, TEXT_LENGTH, this.#left);
    this.#left -= kept;
    if (kept === text.length) return text;
    this.isCut = true;
    return text.slice(0, kept);
  }
}
