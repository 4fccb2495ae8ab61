import { hash } from "node:crypto";
import { cutText } from "../stream/cut-text.ts";
import type { AuditFacts } from "./entry.ts";

/** What records say of what was said: its hash and its length, or its beginning too. */
export type AuditContent = "hashes" | "texts";

/** So much of a text is shown. */
const SHOWN_BYTES = 4096;
/** So much of a name that an agent gives. */
const NAME_BYTES = 256;

/** What a record says of a text, by members that begin with a name. */
export function contentOf(name: string, text: string, content: AuditContent): AuditFacts {
  return {
    [`${name}_sha256`]: hash("sha256", text),
    [`${name}_bytes`]: Buffer.byteLength(text),
    ...(content === "texts" ? { [name]: shown(text) } : {}),
  };
}

/** A name that comes from outside, as far as it is recorded. */
export function nameOf(name: string): string {
  return cutText(name, NAME_BYTES);
}

/** What is shown of a text: the one place through which texts get into records, for what masks secrets in them. */
function shown(text: string): string {
  return cutText(text, SHOWN_BYTES);
}
