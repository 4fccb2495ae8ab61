import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { registerTextFunctions } from "../../src/store/sqlite/prompt-index.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";

/** How much is in the store. */
export const SESSIONS = 10_000;
export const TURNS = 100_000;
/** In the prompt of the oldest turn alone. */
export const OLDEST_TEXT = "zebra";
/** A turn a minute, the newest of now. */
export const MINUTE_MS = 60_000;

/** Of ten turns five are `me`'s, and each fifth session is shared with `guest`; of a hundred nine ask, five were begun by an agent, and one is lost. */
const fillSessions = (now: number) => `
  INSERT INTO sessions (session_key, session_id, principal, agent_kind, agent, model, workspace, agent_session_id, create_time,
      last_active_time, home, turn_count, change_count)
    WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ${SESSIONS})
    SELECT 'key ' || n, printf('00000000-0000-4000-8000-%012d', n), iif(n % 2, 'me', 'p' || (n % 50)), 'claude', 'a', 'm',
      '/workspaces/' || n, 'conversation ' || n, 0, ${now}, 'the server of this file', ${TURNS} / ${SESSIONS}, 2 * ${TURNS} / ${SESSIONS}
    FROM n;
`;
const fillTurns = (now: number) => `
  INSERT INTO turns (turn_id, session_key, state, prompt, principal, model, agent, create_time, end_time, end_sequence, origin,
      permission_mode, start_change, end_change, search_key)
    WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ${TURNS})
    SELECT printf('00000000-0000-7000-8000-%012d', n), 'key ' || (n % ${SESSIONS}),
      CASE WHEN n % 100 = 1 THEN 5 WHEN n % 100 < 8 THEN 3 ELSE 2 END,
      'Look why the gateway of region ' || (n % 97) || ' answers 502 and restart service ' || (n % 1009) || '; ticket ' || n
        || iif(n = 0, ' about a zebra', ''),
      iif(n % ${SESSIONS} % 2, 'me', 'p' || (n % 50)), 'm', 'a', ${now} - (${TURNS} - n) * 60000, ${now} - (${TURNS} - n) * 60000 + 1000, 1,
      iif(n % 20 = 3, 2, 1), iif(n % 11 = 0, 2, 1), 1 + 2 * (n / ${SESSIONS}), 2 + 2 * (n / ${SESSIONS}),
      1024 * (${now} - (${TURNS} - n) * 60000)
    FROM n;
`;
const FILL_REST = `
  UPDATE turns SET session_principal = principal;
  INSERT INTO shares (session_key, grantee, access, create_time, last_active_time, session_id, principal)
    SELECT session_key, 'principal guest', 'read', 1, last_active_time, session_id, principal FROM sessions 
    WHERE CAST(substr(session_key, 5) AS INTEGER) % 5 = 0;
  INSERT INTO prompts (rowid, text) SELECT search_key, indexed_text(prompt, principal, session_principal, origin, permission_mode) FROM turns;
  INSERT INTO events (turn_key, sequence, event) SELECT turn_key, 1, x'00' FROM turns;
  INSERT INTO turn_changes (turn_key, kind, came_into, past_states, is_standing) SELECT turn_key, 0, 1, 2, 0 FROM turns;
  INSERT INTO turn_changes (turn_key, kind, came_into, past_states, is_standing)
    SELECT turn_key, 2, state, 2 | (1 << state), 0 FROM turns;
`;

/** Puts a year's work of many into a store that is not there yet. */
export async function fillStore(directory: string, now: number): Promise<void> {
  const path = join(directory, "breakglass.db");
  await (await openSqliteStore(path)).close();
  const database = new DatabaseSync(path);
  registerTextFunctions(database);
  database.exec("PRAGMA synchronous = OFF; BEGIN");
  database.exec(`${fillSessions(now)} ${fillTurns(now)} ${FILL_REST} COMMIT`);
  database.close();
}
