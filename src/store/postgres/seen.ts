import { PermissionMode } from "../../../gen/breakglass/v1/turn_pb.ts";
import { notFound } from "../../errors.ts";
import type { ListedSession } from "../lists.ts";
import type { SessionRecord, TurnRecord } from "../records.ts";
import type { SessionName, SessionView, TurnView } from "../views.ts";
import type { Tables } from "./tables.ts";

/** @throws Refusal NOT_FOUND where the session does not exist or is not seen. */
export async function seenSession(
  tables: Tables,
  name: SessionName,
  view: SessionView,
): Promise<SessionRecord> {
  return ifSeen(tables, await tables.sessions.find(name), view);
}

/** As `Store.getSession`. */
export async function describeSeen(
  tables: Tables,
  name: SessionName,
  view: SessionView,
): Promise<ListedSession> {
  return ifSeen(tables, await tables.sessionLists.describe(name), view);
}

/** As `Store.getTurn`. */
export async function seenTurn(
  tables: Tables,
  turnId: string,
  view: TurnView,
): Promise<TurnRecord> {
  const turn = await tables.turns.find(turnId);
  if (turn === undefined) throw notFound("turn");
  const { sessionPrincipal: principal, sessionKey, permissionMode } = turn;
  if (view.seesAsking && permissionMode === PermissionMode.ASK) return turn;
  if (!(await sees(tables, view, { principal, sessionKey }))) throw notFound("turn");
  return turn;
}

async function ifSeen<S extends SessionRecord>(
  tables: Tables,
  session: S | undefined,
  view: SessionView,
): Promise<S> {
  if (session === undefined || !(await sees(tables, view, session))) throw notFound("session");
  return session;
}

/** Of what the lists have by indexes, the same for one session. */
async function sees(
  { shares }: Tables,
  view: SessionView,
  { principal, sessionKey }: Pick<SessionRecord, "principal" | "sessionKey">,
): Promise<boolean> {
  if (view.seesAll || principal === view.principal) return true;
  return shares.isWith(sessionKey, view);
}
