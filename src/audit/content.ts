import { hash } from "node:crypto";
import { cutText } from "../stream/cut-text.ts";
import type { AuditFacts } from "./entry.ts";

/** What records say of what was said: its hash and its length, or its beginning too. */
export type AuditContent = "hashes" | "texts";

/** So much of a text is shown. */
const SHOWN_BYTES = 4096;
/** So much of a name that an agent gives. */
const NAME_BYTES = 256;

/** What is shown of a text. */
export type Show = (text: string) => string;

/**
 * What a record says of a text, by members that begin with a name.
 *
 * @param show - What is shown of it. Undefined: nothing.
 */
export function contentOf(name: string, text: string, show: Show | undefined): AuditFacts {
  return {
    [`${name}_sha256`]: hash("sha256", text),
    [`${name}_bytes`]: Buffer.byteLength(text),
    ...(show === undefined ? {} : { [name]: show(text) }),
  };
}

/** A name that comes from outside, as far as it is recorded. */
export function nameOf(name: string): string {
  return cutText(name, NAME_BYTES);
}

/**
 * What texts are shown by: their beginnings, without secrets. The one way by which texts get into records.
 *
 * @param redact - Takes secrets out. It is given twice as much as is shown: what is cut in two is found whole.
 */
export function showing(redact: (text: string) => string): Show {
  return (text) => cutText(redact(cutText(text, 2 * SHOWN_BYTES)), SHOWN_BYTES);
}
