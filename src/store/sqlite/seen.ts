import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound } from "../../errors.ts";
import type { ListedSession } from "../lists.ts";
import type { SessionRecord, TurnRecord } from "../records.ts";
import type { SessionName, SessionView, TurnView } from "../views.ts";
import type { Tables } from "./tables.ts";

/** @throws Refusal NOT_FOUND where the session does not exist or is not seen. */
export function seenSession(tables: Tables, name: SessionName, view: SessionView): SessionRecord {
  return ifSeen(tables, tables.sessions.find(name), view);
}

/** As `Store.getSession`. */
export function describeSeen(tables: Tables, name: SessionName, view: SessionView): ListedSession {
  return ifSeen(tables, tables.sessions.describe(name), view);
}

/** As `Store.getTurn`. */
export function seenTurn(tables: Tables, turnId: string, view: TurnView): TurnRecord {
  const turn = tables.turns.find(turnId);
  if (turn === undefined) throw notFound("turn");
  const { sessionPrincipal: principal, sessionKey, permissionMode } = turn;
  const isAsking = view.seesAsking && permissionMode === PermissionMode.ASK;
  if (!isAsking && !sees(tables, view, { principal, sessionKey })) throw notFound("turn");
  return turn;
}

function ifSeen<S extends SessionRecord>(
  tables: Tables,
  session: S | undefined,
  view: SessionView,
): S {
  if (session === undefined || !sees(tables, view, session)) throw notFound("session");
  return session;
}

/** Of what the lists have by indexes, the same for one session. */
function sees(
  { shares }: Tables,
  view: SessionView,
  { principal, sessionKey }: Pick<SessionRecord, "principal" | "sessionKey">,
): boolean {
  if (view.seesAll || principal === view.principal) return true;
  return shares.isWith(sessionKey, view);
}
