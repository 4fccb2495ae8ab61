import type { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import { cutText } from "../../stream/cut-text.ts";
import { granteesOf, sharesOf } from "../common/grantee-text.ts";
import type { Row } from "../common/row.ts";
import { sessionOf } from "../common/session-row.ts";
import type { ListedSession, Page, SessionPlace } from "../lists.ts";
import type { SessionName, SessionView } from "../views.ts";
import { SHARES_COLUMN } from "./shares-table.ts";
import type { Statements, Value } from "./statements.ts";
import { decoded } from "./turn-row.ts";

const LAST_PROMPT_BYTES = 256;
/** A session, with what a list shows of its newest turn. */
const LISTED_COLUMNS = `sessions.*, last.turn_id AS last_turn_id, last.state AS last_state,
  substring(last.prompt FROM 1 FOR ${LAST_PROMPT_BYTES}) AS last_prompt, ${SHARES_COLUMN}`;
const WITH_LAST_TURN = `LEFT JOIN LATERAL (SELECT turn_id, state, prompt FROM turns
    WHERE turns.session_key = sessions.session_key AND turns.remove_time IS NULL ORDER BY turn_key DESC LIMIT 1) AS last ON true`;

const ORDER = "last_active_time DESC, session_id DESC, principal DESC";

/** Sessions as they are shown. */
export class SessionLists {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** A session as `Store.getSession` answers it, whoever may see it. */
  async describe({ principal, sessionId }: SessionName): Promise<ListedSession | undefined> {
    const sql = `SELECT ${LISTED_COLUMNS} FROM sessions ${WITH_LAST_TURN}
      WHERE sessions.principal = $1 AND session_id = $2 AND sessions.remove_time IS NULL`;
    const row = await this.#statements.get(sql, principal, sessionId);
    return row && listedOf(row);
  }

  /**
   * As `Store.listSessions`. Merged of a part for each reason why somebody sees a session, each read in its order from an
   * index, and no further than the page is long.
   */
  async list(
    view: SessionView,
    pageSize: number,
    after: SessionPlace | undefined,
  ): Promise<Page<ListedSession, SessionPlace>> {
    const names: Value[] = view.seesAll ? [] : [view.principal, ...granteesOf(view)];
    const sql = `SELECT ${LISTED_COLUMNS} FROM (SELECT DISTINCT ${KEY} FROM (${partsOf(names.length)}) AS parts
        ORDER BY ${ORDER} LIMIT $4) AS keys JOIN sessions USING (session_key) ${WITH_LAST_TURN}
      ORDER BY sessions.last_active_time DESC, sessions.session_id DESC, sessions.principal DESC`;
    const place = [after?.lastActiveTime ?? Number.MAX_SAFE_INTEGER, after?.sessionId ?? ""];
    const values = [...place, after?.principal ?? "", pageSize + 1, ...names];
    const rows = await this.#statements.all(sql, ...values);
    const items = rows.slice(0, pageSize).map(listedOf);
    const last = items.at(-1);
    const next = rows.length > pageSize && last !== undefined ? placeOf(last) : undefined;
    return { items, next };
  }
}

const KEY = "session_key, last_active_time, session_id, principal";

/** $1 to $3 are the place, $4 how many, $5 the principal, and what is behind it whom they are shared with. None: all are seen. */
function partsOf(names: number): string {
  const part = (from: string, whose: string) => `(SELECT ${KEY} FROM ${from} WHERE ${whose}
    (last_active_time, session_id, principal) < ($1, $2, $3) ORDER BY ${ORDER} LIMIT $4)`;
  if (names === 0) return part("sessions", "remove_time IS NULL AND");
  const shared = Array.from({ length: names - 1 }, (_, index) =>
    // Joined, for a session that is off the record is shared until it is gone.
    part(
      `(SELECT shares.* FROM shares JOIN sessions USING (session_key) WHERE sessions.remove_time IS NULL) AS shared`,
      `grantee = $${index + 6} AND`,
    ),
  );
  return [part("sessions", "principal = $5 AND remove_time IS NULL AND"), ...shared].join(
    " UNION ALL ",
  );
}

function placeOf({ lastActiveTime, sessionId, principal }: ListedSession): SessionPlace {
  return { lastActiveTime, sessionId, principal };
}

function listedOf(row: Row): ListedSession {
  const { last_turn_id: turnId, last_state: state, last_prompt: prompt } = row;
  const lastTurn =
    turnId === null
      ? undefined
      : {
          turnId: String(turnId),
          state: state as TurnState,
          prompt: cutText(decoded(prompt as Uint8Array, true), LAST_PROMPT_BYTES),
        };
  return { ...sessionOf(row), lastTurn, shares: sharesOf(row) };
}
