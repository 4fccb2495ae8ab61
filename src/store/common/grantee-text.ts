import type { Grantee, SessionView, Share, SharedAccess } from "../views.ts";
import type { Row } from "./row.ts";

/** All by whom somebody is shared with, as they stand in rows. */
export function granteesOf({ principal, roles }: SessionView): string[] {
  const named = roles.map((name) => textOf({ kind: "role", name }));
  return [textOf({ kind: "principal", name: principal }), ...named];
}

/** A session's shares from its row, in the order of whom they are with. */
export function sharesOf({ shares }: Row): Share[] {
  const rows = JSON.parse(String(shares)) as [string, SharedAccess, number][];
  return rows.map(([text, access, createTime]) => ({
    grantee: granteeOf(text),
    access,
    createTime,
  }));
}

/** As it stands in rows: behind its kind, so that no principal is taken for a role. */
export function textOf({ kind, name }: Grantee): string {
  return `${kind} ${name}`;
}

/** From how it stands in rows. */
export function granteeOf(text: string): Grantee {
  const end = text.indexOf(" ");
  return { kind: text.slice(0, end) as Grantee["kind"], name: text.slice(end + 1) };
}
