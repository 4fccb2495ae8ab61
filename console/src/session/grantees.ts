import type { SessionShare, ShareGrantee } from "@breakglass/client";
import { words } from "../words/words.ts";

/** With whom something is shared, for a person. */
export function granteeText(grantee: ShareGrantee | undefined): string {
  const one = grantee?.grantee;
  if (one?.case === "principal") return one.value;
  if (one?.case !== "role") return "?";
  return words.sharing.everyone(words.sharing.roles[one.value] ?? String(one.value));
}

/** One share in a line: who, and what they may do. */
export function shareText({ with: grantee, access }: SessionShare): string {
  return `${granteeText(grantee)} (${words.sharing.accesses[access] ?? ""})`;
}
