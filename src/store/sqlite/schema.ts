import type { DatabaseSync } from "node:sqlite";
import { KEYS_OF_A_MOMENT, registerTextFunctions } from "./prompt-index.ts";

/** What takes a database from one version of the schema to the next, beginning with an empty one. */
export const STEPS: readonly string[] = [
  `
  CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    principal TEXT NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    workspace TEXT NOT NULL,
    agent_session_id TEXT NOT NULL,
    create_time INTEGER NOT NULL,
    last_active_time INTEGER NOT NULL,
    running_turn_id TEXT NOT NULL DEFAULT '',
    turn_count INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_activity ON sessions (principal, last_active_time, session_id);

  CREATE TABLE turns (
    turn_key INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_id TEXT NOT NULL UNIQUE,
    session_id TEXT NOT NULL REFERENCES sessions (session_id),
    process_id TEXT NOT NULL,
    processes_gone INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL,
    error_reason INTEGER NOT NULL DEFAULT 0,
    prompt TEXT NOT NULL,
    principal TEXT NOT NULL,
    model TEXT NOT NULL,
    agent TEXT NOT NULL,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    create_time INTEGER NOT NULL,
    end_time INTEGER
  ) STRICT;
  CREATE INDEX turns_by_session ON turns (session_id, turn_key);
  CREATE INDEX turns_left ON turns (processes_gone) WHERE processes_gone = 0;

  -- A request outlives its turn, so that a late retry of it runs nothing.
  CREATE TABLE requests (
    principal TEXT NOT NULL,
    request_id TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    sent_session_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    forget_time INTEGER,
    PRIMARY KEY (principal, request_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX requests_by_session ON requests (session_id);

  CREATE TABLE events (
    turn_key INTEGER NOT NULL REFERENCES turns (turn_key),
    sequence INTEGER NOT NULL,
    event BLOB NOT NULL,
    PRIMARY KEY (turn_key, sequence)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE INDEX turns_by_end ON turns (end_time) WHERE end_time IS NOT NULL;

  CREATE INDEX requests_by_turn ON requests (turn_id);
  CREATE INDEX requests_by_forget_time ON requests (forget_time) WHERE forget_time IS NOT NULL;

  -- Sessions that are no longer on record, until their workspace and the agent's own record are known to be gone.
  CREATE TABLE removals (
    workspace TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    agent_session_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Agents' processes that may live. They outlive turns and, for a while, sessions; one that waits for a session has none.
  CREATE TABLE processes (
    process_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    workspace TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX processes_by_workspace ON processes (workspace);
  INSERT OR IGNORE INTO processes (process_id, session_id, workspace)
    SELECT process_id, session_id, coalesce((SELECT workspace FROM sessions WHERE sessions.session_id = turns.session_id), '')
    FROM turns WHERE processes_gone = 0;
  DROP INDEX turns_left;
  ALTER TABLE turns DROP COLUMN processes_gone;
  ALTER TABLE turns DROP COLUMN process_id;

  ALTER TABLE turns ADD COLUMN origin INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE turns ADD COLUMN cause_turn_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE turns ADD COLUMN permission_mode INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE turns ADD COLUMN permission_denial_count INTEGER NOT NULL DEFAULT 0;
  -- JSON: a list of {name, mediaType, size}.
  ALTER TABLE turns ADD COLUMN attachments TEXT NOT NULL DEFAULT '[]';
  -- NULL: unknown.
  ALTER TABLE turns ADD COLUMN input_tokens INTEGER;
  ALTER TABLE turns ADD COLUMN output_tokens INTEGER;
  ALTER TABLE turns ADD COLUMN cache_read_input_tokens INTEGER;
  ALTER TABLE turns ADD COLUMN cache_creation_input_tokens INTEGER;
  ALTER TABLE turns ADD COLUMN total_cost_usd REAL NOT NULL DEFAULT 0;
  -- The places of the turn's record and of its end among the session's changes.
  ALTER TABLE turns ADD COLUMN start_change INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE turns ADD COLUMN end_change INTEGER;
  UPDATE turns SET start_change = 2 * place - 1, end_change = iif(end_time IS NULL, NULL, 2 * place)
    FROM (SELECT turn_key AS key, row_number() OVER (PARTITION BY session_id ORDER BY turn_key) AS place FROM turns)
    WHERE turn_key = key;
  CREATE INDEX turns_by_start_change ON turns (session_id, start_change);
  CREATE INDEX turns_by_end_change ON turns (session_id, end_change) WHERE end_change IS NOT NULL;
  CREATE INDEX turns_unended ON turns (turn_key) WHERE end_time IS NULL;

  ALTER TABLE sessions ADD COLUMN queued_turn_id TEXT NOT NULL DEFAULT '';
  ALTER TABLE sessions ADD COLUMN change_count INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE sessions ADD COLUMN input_tokens INTEGER;
  ALTER TABLE sessions ADD COLUMN output_tokens INTEGER;
  ALTER TABLE sessions ADD COLUMN cache_read_input_tokens INTEGER;
  ALTER TABLE sessions ADD COLUMN cache_creation_input_tokens INTEGER;
  ALTER TABLE sessions ADD COLUMN total_cost_usd REAL NOT NULL DEFAULT 0;
  UPDATE sessions SET change_count =
    2 * (SELECT count(*) FROM turns WHERE turns.session_id = sessions.session_id);

  -- The event that a request became, where it was a message for a running turn.
  ALTER TABLE requests ADD COLUMN sequence INTEGER;
  `,
  `
  -- A session has a key of its own; its id is one only among its principal's sessions.
  ALTER TABLE sessions RENAME COLUMN session_id TO session_key;
  ALTER TABLE turns RENAME COLUMN session_id TO session_key;
  ALTER TABLE processes RENAME COLUMN session_id TO session_key;
  ALTER TABLE sessions ADD COLUMN session_id TEXT NOT NULL DEFAULT '';
  UPDATE sessions SET session_id = session_key;

  -- NULL: on record. What is off the record is found by nobody, and removed piece by piece.
  ALTER TABLE sessions ADD COLUMN remove_time INTEGER;
  ALTER TABLE turns ADD COLUMN remove_time INTEGER;
  -- Of a removed session: 1 when its workspace and the agent's own record are known to be gone.
  ALTER TABLE sessions ADD COLUMN files_removed INTEGER NOT NULL DEFAULT 0;

  INSERT INTO sessions (session_key, session_id, principal, agent, model, workspace, agent_session_id, create_time,
      last_active_time, remove_time)
    SELECT
      -- The id may have been opened again, or more than once.
      iif(session_id IN (SELECT session_key FROM sessions)
          OR EXISTS (SELECT 1 FROM removals AS other
            WHERE other.session_id = removals.session_id AND other.workspace < removals.workspace),
        workspace, session_id),
      session_id, '', '', '', workspace, agent_session_id, 0, 0, 0
    FROM removals;
  DROP TABLE removals;
  UPDATE processes SET session_key = sessions.session_key FROM sessions WHERE sessions.workspace = processes.workspace;

  DROP INDEX sessions_by_activity;
  CREATE INDEX sessions_by_activity ON sessions (principal, last_active_time, session_id) WHERE remove_time IS NULL;
  CREATE UNIQUE INDEX sessions_by_id ON sessions (principal, session_id) WHERE remove_time IS NULL;
  CREATE INDEX sessions_removed ON sessions (workspace) WHERE remove_time IS NOT NULL;
  CREATE INDEX turns_removed ON turns (turn_key) WHERE remove_time IS NOT NULL;
  DROP INDEX requests_by_session;

  -- Every id that the agent had for a session's conversations: each is one session's, until nothing is left of that.
  CREATE TABLE conversations (
    agent_session_id TEXT PRIMARY KEY,
    session_key TEXT NOT NULL REFERENCES sessions (session_key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX conversations_by_session ON conversations (session_key);
  -- Where two sessions have the same, the first one's it was.
  INSERT OR IGNORE INTO conversations (agent_session_id, session_key)
    SELECT agent_session_id, session_key FROM sessions ORDER BY remove_time IS NOT NULL, create_time;
  UPDATE sessions SET agent_session_id = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' ||
      substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))
    WHERE remove_time IS NULL AND session_key != (SELECT session_key FROM conversations
      WHERE conversations.agent_session_id = sessions.agent_session_id);
  INSERT OR IGNORE INTO conversations (agent_session_id, session_key)
    SELECT agent_session_id, session_key FROM sessions WHERE remove_time IS NULL;
  `,
  `
  -- In the order in which they come, and found by an index: see EventsTable.
  ALTER TABLE events RENAME TO events_by_turn;
  CREATE TABLE events (
    turn_key INTEGER NOT NULL REFERENCES turns (turn_key),
    sequence INTEGER NOT NULL,
    event BLOB NOT NULL,
    UNIQUE (turn_key, sequence)
  ) STRICT;
  INSERT INTO events (turn_key, sequence, event)
    SELECT turn_key, sequence, event FROM events_by_turn ORDER BY turn_key, sequence;
  DROP TABLE events_by_turn;

  -- Written when the turn ends. Until then the newest event tells it.
  ALTER TABLE turns RENAME COLUMN last_sequence TO end_sequence;
  `,
  `
  -- The newest lease; its one row is written with the first of what is recorded under it.
  CREATE TABLE lease (epoch INTEGER NOT NULL) STRICT;
  INSERT INTO lease (epoch) VALUES (0);
  -- The lease under which it was recorded.
  ALTER TABLE turns ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE processes ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The server, by its name, on whose machine it is. A file had one.
  ALTER TABLE sessions ADD COLUMN home TEXT NOT NULL DEFAULT 'the server of this file';
  ALTER TABLE processes ADD COLUMN owner TEXT NOT NULL DEFAULT 'the server of this file';
  `,
  `
  -- The kind of the agent that holds the session's conversation. There was one before.
  ALTER TABLE sessions ADD COLUMN agent_kind TEXT NOT NULL DEFAULT 'claude';

  -- Two kinds of agents may give the same id, each its own way of making them.
  ALTER TABLE conversations RENAME TO conversations_of_claude;
  DROP INDEX conversations_by_session;
  CREATE TABLE conversations (
    agent_kind TEXT NOT NULL,
    agent_session_id TEXT NOT NULL,
    session_key TEXT NOT NULL REFERENCES sessions (session_key),
    PRIMARY KEY (agent_kind, agent_session_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX conversations_by_session ON conversations (session_key);
  INSERT INTO conversations (agent_kind, agent_session_id, session_key)
    SELECT 'claude', agent_session_id, session_key FROM conversations_of_claude;
  DROP TABLE conversations_of_claude;
  `,
  `
  -- Lists of turns over all sessions, merged of a part for each state: see TurnLists.
  CREATE INDEX turns_by_state ON turns (principal, state, create_time, turn_id, remove_time) WHERE remove_time IS NULL;
  -- 2: the mode ASK, whose turns others may see too.
  CREATE INDEX turns_that_ask ON turns (state, create_time, turn_id, principal, permission_mode, remove_time)
    WHERE permission_mode = 2 AND remove_time IS NULL;
  `,
  `
  -- What each principal's turns have used, by the day (UTC, since the epoch) on which they ended: see DaysTable.
  CREATE TABLE days (
    principal TEXT NOT NULL,
    day INTEGER NOT NULL,
    cost_usd REAL NOT NULL,
    model_turns INTEGER NOT NULL,
    PRIMARY KEY (principal, day)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What was sent with all prompts of a session: files stay in its workspace.
  ALTER TABLE sessions ADD COLUMN attachment_bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE sessions SET attachment_bytes = coalesce((SELECT sum(json_extract(value, '$.size'))
    FROM turns, json_each(turns.attachments) WHERE turns.session_key = sessions.session_key), 0);
  CREATE INDEX sessions_by_attachments ON sessions (principal, attachment_bytes) WHERE remove_time IS NULL;
  `,
  `
  -- What somebody outside is yet to be told of, by the server that recorded it. It may outlive its turn.
  CREATE TABLE outbox (
    outbox_key INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    turn_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_time INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX outbox_by_due_time ON outbox (owner, due_time, outbox_key);
  CREATE INDEX outbox_by_time ON outbox (owner, time);
  `,
  `
  -- What is in the beginnings of prompts: see PromptIndex.
  ALTER TABLE turns ADD COLUMN search_key INTEGER NOT NULL DEFAULT 0;
  UPDATE turns SET search_key = place FROM (SELECT turn_key AS key, ${KEYS_OF_A_MOMENT} * create_time - 1 +
      row_number() OVER (PARTITION BY create_time ORDER BY turn_key) AS place FROM turns)
    WHERE turn_key = key;
  CREATE VIRTUAL TABLE prompts USING fts5
    (text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1');
  INSERT INTO prompts (rowid, text)
    SELECT search_key, indexed_text(substr(prompt, 1, 4096), principal, principal, origin, permission_mode) FROM turns WHERE prompt <> '';
  `,
  `
  -- The changes of all turns: see TurnChangesTable. What there was before is nobody's to come back to, but for the turns that
  -- have not ended: their ends are to come.
  CREATE TABLE turn_changes (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    turn_key INTEGER NOT NULL REFERENCES turns (turn_key),
    kind INTEGER NOT NULL,
    came_into INTEGER NOT NULL,
    -- A bit for each.
    past_states INTEGER NOT NULL,
    -- Of an approval.
    event_sequence INTEGER,
    approval_id TEXT,
    is_standing INTEGER NOT NULL,
    -- NULL: for all who may see the turn. Else it is told once more, to whom its session is shared with since.
    grantee TEXT
  ) STRICT;
  CREATE INDEX turn_changes_by_turn ON turn_changes (turn_key);
  CREATE INDEX turn_changes_standing ON turn_changes (cursor) WHERE is_standing = 1;
  CREATE INDEX turn_changes_standing_by_turn ON turn_changes (turn_key) WHERE is_standing = 1;
  -- No change is the first: who has been told that there is none comes back from 1, and not from the beginning.
  INSERT INTO sqlite_sequence (name, seq) VALUES ('turn_changes', 1);
  INSERT INTO turn_changes (turn_key, kind, came_into, past_states, is_standing)
    SELECT turn_key, 1, state, 1 << state, 1 FROM turns WHERE end_time IS NULL ORDER BY turn_key;
  -- By whose session it was, as a grantee, and by whom that was shared with.
  CREATE TABLE removed_changes (
    grantee TEXT NOT NULL,
    permission_mode INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    PRIMARY KEY (grantee, permission_mode)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- The audit chains, one a server: each record as the line that it is handed out as. See AuditTable.
  CREATE TABLE audit (
    owner TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (owner, sequence)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whose session it is in: who runs a turn may be another.
  ALTER TABLE turns ADD COLUMN session_principal TEXT NOT NULL DEFAULT '';
  UPDATE turns SET session_principal = principal;
  -- Lists of turns over all sessions, merged of a part for each origin and state: see TurnKeys. Of one's own sessions, of what
  -- asks (2: the mode ASK), and of all, for who sees all; each also of one principal who runs them.
  DROP INDEX turns_by_state;
  DROP INDEX turns_that_ask;
  CREATE INDEX turns_by_state ON turns (session_principal, origin, state, create_time, turn_id, remove_time)
    WHERE remove_time IS NULL;
  CREATE INDEX turns_of_one_by_state ON turns (session_principal, principal, origin, state, create_time, turn_id, remove_time)
    WHERE remove_time IS NULL;
  CREATE INDEX turns_that_ask ON turns (origin, state, create_time, turn_id, permission_mode, remove_time)
    WHERE permission_mode = 2 AND remove_time IS NULL;
  CREATE INDEX turns_of_one_that_ask ON turns (principal, origin, state, create_time, turn_id, permission_mode, remove_time)
    WHERE permission_mode = 2 AND remove_time IS NULL;
  CREATE INDEX turns_of_all ON turns (origin, state, create_time, turn_id, remove_time) WHERE remove_time IS NULL;
  CREATE INDEX turns_of_one ON turns (principal, origin, state, create_time, turn_id, remove_time) WHERE remove_time IS NULL;
  CREATE INDEX turns_by_search_key ON turns
    (search_key, session_principal, principal, origin, permission_mode, state, remove_time, session_key);
  CREATE INDEX sessions_of_all ON sessions (last_active_time, session_id, principal) WHERE remove_time IS NULL;

  -- The grantee is 'principal NAME' or 'role NAME'. The last three are the session's, for lists.
  CREATE TABLE shares (
    session_key TEXT NOT NULL REFERENCES sessions (session_key),
    grantee TEXT NOT NULL,
    access TEXT NOT NULL CHECK (access IN ('read', 'operate')),
    create_time INTEGER NOT NULL,
    last_active_time INTEGER NOT NULL,
    session_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (session_key, grantee)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shares_by_activity ON shares (grantee, last_active_time, session_id, principal);
  CREATE TRIGGER session_active AFTER UPDATE OF last_active_time ON sessions BEGIN
    UPDATE shares SET last_active_time = NEW.last_active_time WHERE session_key = NEW.session_key;
  END;

  -- Each turn for each share of its session.
  CREATE TABLE shared_turns (
    grantee TEXT NOT NULL,
    origin INTEGER NOT NULL,
    state INTEGER NOT NULL,
    create_time INTEGER NOT NULL,
    turn_id TEXT NOT NULL,
    turn_key INTEGER NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (grantee, origin, state, create_time, turn_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX shared_turns_of_one ON shared_turns (grantee, principal, origin, state, create_time, turn_id, turn_key);
  CREATE INDEX shared_turns_by_turn ON shared_turns (turn_key);
  CREATE TRIGGER session_shared AFTER INSERT ON shares BEGIN
    INSERT INTO shared_turns (grantee, origin, state, create_time, turn_id, turn_key, principal)
      SELECT NEW.grantee, origin, state, create_time, turn_id, turn_key, principal FROM turns
      WHERE session_key = NEW.session_key AND remove_time IS NULL;
  END;
  CREATE TRIGGER session_unshared AFTER DELETE ON shares BEGIN
    DELETE FROM shared_turns WHERE grantee = OLD.grantee
      AND turn_key IN (SELECT turn_key FROM turns WHERE session_key = OLD.session_key);
  END;
  CREATE TRIGGER turn_recorded AFTER INSERT ON turns BEGIN
    INSERT INTO shared_turns (grantee, origin, state, create_time, turn_id, turn_key, principal)
      SELECT grantee, NEW.origin, NEW.state, NEW.create_time, NEW.turn_id, NEW.turn_key, NEW.principal
      FROM shares WHERE session_key = NEW.session_key;
  END;
  CREATE TRIGGER turn_moved AFTER UPDATE OF state ON turns BEGIN
    UPDATE shared_turns SET state = NEW.state WHERE turn_key = NEW.turn_key;
  END;
  CREATE TRIGGER turn_taken_off AFTER UPDATE OF remove_time ON turns BEGIN
    DELETE FROM shared_turns WHERE turn_key = NEW.turn_key;
  END;
  CREATE TRIGGER turn_removed AFTER DELETE ON turns BEGIN
    DELETE FROM shared_turns WHERE turn_key = OLD.turn_key;
  END;
  `,
  `
  -- The audit by whole numbers: a line goes to the end of the table's last page, which costs a third less than its place in an
  -- index of texts. See AuditTable.
  ALTER TABLE audit RENAME TO audit_by_owner;
  CREATE TABLE audit_chains (number INTEGER PRIMARY KEY, owner TEXT NOT NULL UNIQUE) STRICT;
  INSERT INTO audit_chains (owner) SELECT DISTINCT owner FROM audit_by_owner;
  CREATE TABLE audit (place INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
  INSERT INTO audit
    SELECT number * 4294967296 + sequence, line FROM audit_by_owner JOIN audit_chains USING (owner) ORDER BY 1;
  DROP TABLE audit_by_owner;
  `,
  `
  -- What agents keep of conversations, in compressed segments of files, and which of them count: see TranscriptsTable.
  CREATE TABLE transcripts (
    session_key TEXT NOT NULL REFERENCES sessions (session_key),
    file TEXT NOT NULL,
    generation INTEGER NOT NULL,
    start INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX transcripts_by_place ON transcripts (session_key, file, generation, start);
  CREATE TABLE transcript_heads (
    session_key TEXT PRIMARY KEY REFERENCES sessions (session_key),
    conversation_id TEXT NOT NULL,
    -- JSON: a list of {name, generation, bytes, crc32}.
    files TEXT NOT NULL,
    refusal TEXT NOT NULL,
    time INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- 1: it has come from another home, and what there was of it is yet to be brought.
  ALTER TABLE sessions ADD COLUMN is_moved INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- The newest snapshot of its workspace: see Snapshots. Empty: there is none.
  ALTER TABLE sessions ADD COLUMN snapshot_key TEXT NOT NULL DEFAULT '';
  ALTER TABLE sessions ADD COLUMN snapshot_time INTEGER NOT NULL DEFAULT 0;
  `,
];

/** The version of the schema, kept in the database's `user_version`. */
export const SCHEMA_VERSION = STEPS.length;

/**
 * Makes the database ready: its pragmas, and its schema where that is missing or older.
 *
 * @throws Error with a message for the operator, where the database is another server's or of another version.
 */
export function prepare(database: DatabaseSync): void {
  // Exclusive from the first read on: two servers on one store would end each other's turns.
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  // Before anything is changed.
  refuseUnknown(database, version);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  database.exec("PRAGMA foreign_keys = ON");
  // 4 MiB: whoever is appended to meanwhile waits for the copying, some 5 ms; of 16 MiB it is 20, in its place 0.7 µs less
  // an event (measured).
  database.exec("PRAGMA wal_autocheckpoint = 1000");
  registerTextFunctions(database);
  for (const [index, step] of STEPS.entries()) {
    // Each step in a transaction of its own: whatever interrupts them, the database is of one version or the next.
    if (index >= version)
      database.exec(`BEGIN; ${step} PRAGMA user_version = ${index + 1}; COMMIT`);
  }
  // What a step wrote stays as large in the log.
  if (version < SCHEMA_VERSION) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

/** @throws Error with a message for the operator, where the database is another program's or of a newer server. */
export function refuseUnknown(database: DatabaseSync, version: number): void {
  refuseForeign(database, version);
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `its schema is version ${version}, this server knows up to ${SCHEMA_VERSION}: run a newer server`,
    );
  }
}

/** Nothing is added to another program's database, whatever brought it here. */
function refuseForeign(database: DatabaseSync, version: number): void {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const isOurs = tables.some(({ name }) => name === "turns");
  if (version === 0 ? tables.length > 0 : !isOurs) {
    throw new Error("it is the database of another program");
  }
}
