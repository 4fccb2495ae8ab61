import type { X509Certificate } from "node:crypto";

/** What kinds of names a certificate has that can be looked for. */
export const NAME_KINDS = ["dn", "cn", "dns", "uri", "email"] as const;

export type NameKind = (typeof NAME_KINDS)[number];

const ALTERNATIVES: Readonly<Record<string, NameKind>> = { DNS: "dns", URI: "uri", email: "email" };
/** A kind and a value; one with anything in it that could be taken for more is quoted, as JSON is (CVE-2021-44532). */
const ALTERNATIVE = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/y;

/**
 * The names of a certificate, each as `nameKey` writes it: its subject, the subject's common name where that has one alone, and
 * its alternative names.
 */
export function namesOf({ subject, subjectAltName }: X509Certificate): ReadonlySet<string> {
  const parts = (subject ?? "").split("\n").filter((part) => part !== "");
  const names = [nameKey("dn", distinguishedName(parts))];
  const [common, ...others] = parts.filter((part) => part.startsWith("CN="));
  if (common !== undefined && others.length === 0) {
    names.push(nameKey("cn", unescaped(common.slice("CN=".length))));
  }
  for (const [kind, value] of alternativesIn(subjectAltName ?? ""))
    names.push(nameKey(kind, value));
  return new Set(names);
}

/** A name as it is compared: names of hosts are the same in either case. */
export function nameKey(kind: NameKind, value: string): string {
  return `${kind}:${kind === "dns" ? value.toLowerCase() : value}`;
}

/** As RFC 4514 writes it, the most particular part first, which is how `openssl x509 -subject -nameopt RFC2253` prints it. */
function distinguishedName(parts: readonly string[]): string {
  return parts
    .toReversed()
    .map((part) => part.replaceAll(" + ", "+"))
    .join(",");
}

/** Node escapes as RFC 2253 has it; what is not to be seen is escaped in hex, and stays so: no name has it. */
function unescaped(value: string): string {
  return value.replace(/\\([,+"\\<>; #])/g, "$1");
}

function* alternativesIn(text: string): Generator<[NameKind, string]> {
  ALTERNATIVE.lastIndex = 0;
  for (let found = ALTERNATIVE.exec(text); found !== null; found = ALTERNATIVE.exec(text)) {
    const [whole, kind = "", value = ""] = found;
    const known = ALTERNATIVES[kind];
    if (known !== undefined) yield [known, value.startsWith('"') ? JSON.parse(value) : value];
    if (whole === "" || ALTERNATIVE.lastIndex >= text.length) return;
  }
}
