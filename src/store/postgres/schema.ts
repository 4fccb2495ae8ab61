/** Compared byte by byte: the order of a language's changes with the machine's library. */
const TEXT = `text COLLATE "C"`;

/** What takes a database from one version of the schema to the next, beginning with an empty one. Never changed once released. */
export const STEPS: readonly string[] = [
  `
  -- The leases of servers, each under a name: see LeasesTable. Locked FOR SHARE by whatever is written under it.
  CREATE TABLE replicas (
    incarnation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replica_id ${TEXT} NOT NULL,
    -- In milliseconds. NULL: it does not run out.
    lease_until bigint,
    fenced boolean NOT NULL DEFAULT false
  );
  CREATE INDEX replicas_that_hold ON replicas (replica_id) WHERE NOT fenced;
  -- The number of a writer's newest commit that was more than events, by which it is found again: see CommitDoubt.
  CREATE TABLE writers (writer_id uuid PRIMARY KEY, number bigint NOT NULL, time timestamptz NOT NULL DEFAULT now());

  CREATE TABLE sessions (
    session_key ${TEXT} PRIMARY KEY,
    session_id ${TEXT} NOT NULL,
    principal ${TEXT} NOT NULL,
    agent_kind text NOT NULL,
    agent text NOT NULL,
    model text NOT NULL,
    workspace ${TEXT} NOT NULL,
    home ${TEXT} NOT NULL,
    agent_session_id text NOT NULL,
    create_time bigint NOT NULL,
    last_active_time bigint NOT NULL,
    running_turn_id text NOT NULL DEFAULT '',
    queued_turn_id text NOT NULL DEFAULT '',
    turn_count int NOT NULL DEFAULT 0,
    change_count int NOT NULL DEFAULT 0,
    attachment_bytes bigint NOT NULL DEFAULT 0,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_input_tokens bigint,
    cache_creation_input_tokens bigint,
    total_cost_usd double precision NOT NULL DEFAULT 0,
    -- NULL: on record. What is off the record is found by nobody, and removed piece by piece.
    remove_time bigint,
    files_removed boolean NOT NULL DEFAULT false
  );
  CREATE UNIQUE INDEX sessions_by_id ON sessions (principal, session_id) WHERE remove_time IS NULL;
  CREATE INDEX sessions_by_activity ON sessions (principal, last_active_time, session_id) WHERE remove_time IS NULL;
  CREATE INDEX sessions_by_attachments ON sessions (principal, attachment_bytes) WHERE remove_time IS NULL;
  CREATE INDEX sessions_of_all ON sessions (last_active_time, session_id, principal) WHERE remove_time IS NULL;
  CREATE INDEX sessions_removed ON sessions (workspace) WHERE remove_time IS NOT NULL;
  CREATE INDEX sessions_by_home ON sessions (home, session_key) WHERE remove_time IS NULL;

  CREATE TABLE turns (
    turn_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    turn_id uuid NOT NULL UNIQUE,
    session_key ${TEXT} NOT NULL REFERENCES sessions,
    -- The incarnation that recorded it: it does not change.
    epoch bigint NOT NULL,
    state int NOT NULL,
    error_reason int NOT NULL DEFAULT 0,
    -- UTF-8: a text has no place for a zero.
    prompt bytea NOT NULL,
    principal ${TEXT} NOT NULL,
    -- Whose session it is in: who runs a turn may be another.
    session_principal ${TEXT} NOT NULL,
    model text NOT NULL,
    agent text NOT NULL,
    -- Written when the turn ends. Until then the newest event tells it.
    end_sequence int NOT NULL DEFAULT 0,
    create_time bigint NOT NULL,
    end_time bigint,
    origin int NOT NULL,
    cause_turn_id text NOT NULL,
    permission_mode int NOT NULL,
    permission_denial_count int NOT NULL DEFAULT 0,
    -- JSON: a list of {name, mediaType, size}.
    attachments text NOT NULL,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_input_tokens bigint,
    cache_creation_input_tokens bigint,
    total_cost_usd double precision NOT NULL DEFAULT 0,
    -- The places of the turn's record and of its end among the session's changes.
    start_change int NOT NULL,
    end_change int,
    remove_time bigint,
    -- The beginning of the prompt as texts are looked for in it, and all three characters that stand side by side there: an
    -- index of arrays is in every PostgreSQL, pg_trgm is an extension that not every database has.
    searched_text text NOT NULL,
    trigrams text[] NOT NULL
  );
  ALTER TABLE turns ALTER COLUMN prompt SET STORAGE EXTERNAL;
  CREATE INDEX turns_by_session ON turns (session_key, turn_key);
  CREATE INDEX turns_by_start_change ON turns (session_key, start_change);
  CREATE INDEX turns_by_end_change ON turns (session_key, end_change) WHERE end_change IS NOT NULL;
  CREATE INDEX turns_unended ON turns (turn_key) WHERE end_time IS NULL;
  CREATE INDEX turns_by_end ON turns (end_time) WHERE end_time IS NOT NULL AND remove_time IS NULL;
  CREATE INDEX turns_removed ON turns (turn_key) WHERE remove_time IS NOT NULL;
  CREATE INDEX turns_by_text ON turns USING gin (trigrams);
  -- Lists of turns over all sessions, merged of a part for each reason, origin and state: see turn-keys.ts. 2: the mode ASK.
  CREATE INDEX turns_by_state ON turns (session_principal, origin, state, create_time, turn_id) WHERE remove_time IS NULL;
  CREATE INDEX turns_of_one_by_state ON turns (session_principal, principal, origin, state, create_time, turn_id)
    WHERE remove_time IS NULL;
  CREATE INDEX turns_that_ask ON turns (origin, state, create_time, turn_id) WHERE permission_mode = 2 AND remove_time IS NULL;
  CREATE INDEX turns_of_one_that_ask ON turns (principal, origin, state, create_time, turn_id)
    WHERE permission_mode = 2 AND remove_time IS NULL;
  CREATE INDEX turns_of_all ON turns (origin, state, create_time, turn_id) WHERE remove_time IS NULL;
  CREATE INDEX turns_of_one ON turns (principal, origin, state, create_time, turn_id) WHERE remove_time IS NULL;
  CREATE INDEX turns_by_time ON turns (create_time, turn_key) WHERE remove_time IS NULL;

  -- In partitions by the day of the turn, which its id begins with: see EventPartitions.
  CREATE TABLE events (
    turn_id uuid NOT NULL,
    sequence int NOT NULL,
    event bytea NOT NULL,
    PRIMARY KEY (turn_id, sequence)
  ) PARTITION BY RANGE (turn_id);

  -- A request outlives its turn, so that a late retry of it runs nothing.
  CREATE TABLE requests (
    principal ${TEXT} NOT NULL,
    request_id ${TEXT} NOT NULL,
    turn_id uuid NOT NULL,
    session_id text NOT NULL,
    sent_session_id text NOT NULL,
    fingerprint bytea NOT NULL,
    -- The event that a request became, where it was a message for a running turn.
    sequence int,
    forget_time bigint,
    PRIMARY KEY (principal, request_id)
  );
  CREATE INDEX requests_by_turn ON requests (turn_id);
  CREATE INDEX requests_by_forget_time ON requests (forget_time) WHERE forget_time IS NOT NULL;

  -- Agents' processes that may live. They outlive turns and, for a while, sessions; one that waits for a session has none.
  CREATE TABLE processes (
    process_id ${TEXT} PRIMARY KEY,
    session_key text NOT NULL,
    workspace ${TEXT} NOT NULL,
    epoch bigint NOT NULL,
    owner ${TEXT} NOT NULL
  );
  CREATE INDEX processes_by_workspace ON processes (workspace);
  CREATE INDEX processes_by_owner ON processes (owner);

  -- Every id that the agent had for a session's conversations: each is one session's, until nothing is left of that.
  CREATE TABLE conversations (
    agent_kind ${TEXT} NOT NULL,
    agent_session_id ${TEXT} NOT NULL,
    session_key ${TEXT} NOT NULL REFERENCES sessions,
    PRIMARY KEY (agent_kind, agent_session_id)
  );
  CREATE INDEX conversations_by_session ON conversations (session_key);

  -- What each principal's turns have used, by the day (UTC, since the epoch) on which they ended.
  CREATE TABLE days (
    principal ${TEXT} NOT NULL,
    day int NOT NULL,
    cost_usd double precision NOT NULL,
    model_turns bigint NOT NULL,
    PRIMARY KEY (principal, day)
  );

  -- What somebody outside is yet to be told of, by the server that recorded it. It may outlive its turn.
  CREATE TABLE outbox (
    outbox_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner ${TEXT} NOT NULL,
    turn_id uuid NOT NULL,
    sequence int NOT NULL,
    kind text NOT NULL,
    time bigint NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    due_time bigint NOT NULL
  );
  CREATE INDEX outbox_by_due_time ON outbox (owner, due_time, outbox_key);
  CREATE INDEX outbox_by_time ON outbox (owner, time);

  -- The changes of all turns: see TurnChangesTable.
  CREATE TABLE turn_changes (
    cursor bigint PRIMARY KEY,
    turn_key bigint NOT NULL REFERENCES turns,
    kind int NOT NULL,
    came_into int NOT NULL,
    -- A bit for each.
    past_states int NOT NULL,
    -- Of an approval.
    event_sequence int,
    approval_id text,
    is_standing boolean NOT NULL,
    -- NULL: for all who may see the turn. Else it is told once more, to whom its session is shared with since.
    grantee text
  );
  CREATE INDEX turn_changes_by_turn ON turn_changes (turn_key, cursor);
  CREATE INDEX turn_changes_standing ON turn_changes (cursor) WHERE is_standing;
  CREATE INDEX turn_changes_standing_by_turn ON turn_changes (turn_key) WHERE is_standing;
  -- The cursor that was given last. No change is the first: who has been told that there is none comes back from 1.
  CREATE TABLE newest_change (cursor bigint NOT NULL);
  INSERT INTO newest_change VALUES (1);
  -- By whose session it was, as a grantee, and by whom that was shared with.
  CREATE TABLE removed_changes (
    grantee ${TEXT} NOT NULL,
    permission_mode int NOT NULL,
    cursor bigint NOT NULL,
    PRIMARY KEY (grantee, permission_mode)
  );

  -- The audit chains, one a server: each record as the line that it is handed out as. See AuditTable.
  CREATE TABLE audit (
    owner ${TEXT} NOT NULL,
    sequence bigint NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (owner, sequence)
  );

  -- The grantee is 'principal NAME' or 'role NAME'. The last three are the session's, for lists.
  CREATE TABLE shares (
    session_key ${TEXT} NOT NULL REFERENCES sessions,
    grantee ${TEXT} NOT NULL,
    access text NOT NULL CHECK (access IN ('read', 'operate')),
    create_time bigint NOT NULL,
    last_active_time bigint NOT NULL,
    session_id ${TEXT} NOT NULL,
    principal ${TEXT} NOT NULL,
    PRIMARY KEY (session_key, grantee)
  );
  CREATE INDEX shares_by_activity ON shares (grantee, last_active_time, session_id, principal);
  CREATE FUNCTION session_active() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE shares SET last_active_time = NEW.last_active_time WHERE session_key = NEW.session_key;
    RETURN NULL;
  END $$;
  CREATE TRIGGER session_active AFTER UPDATE OF last_active_time ON sessions
    FOR EACH ROW EXECUTE FUNCTION session_active();

  -- Each turn for each share of its session.
  CREATE TABLE shared_turns (
    grantee ${TEXT} NOT NULL,
    origin int NOT NULL,
    state int NOT NULL,
    create_time bigint NOT NULL,
    turn_id uuid NOT NULL,
    turn_key bigint NOT NULL,
    principal ${TEXT} NOT NULL,
    PRIMARY KEY (grantee, turn_id)
  );
  CREATE INDEX shared_turns_by_state ON shared_turns (grantee, origin, state, create_time, turn_id);
  CREATE INDEX shared_turns_of_one ON shared_turns (grantee, principal, origin, state, create_time, turn_id);
  CREATE INDEX shared_turns_by_turn ON shared_turns (turn_key);
  CREATE FUNCTION session_shared() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO shared_turns (grantee, origin, state, create_time, turn_id, turn_key, principal)
      SELECT NEW.grantee, origin, state, create_time, turn_id, turn_key, principal FROM turns
      WHERE session_key = NEW.session_key AND remove_time IS NULL;
    RETURN NULL;
  END $$;
  CREATE TRIGGER session_shared AFTER INSERT ON shares FOR EACH ROW EXECUTE FUNCTION session_shared();
  CREATE FUNCTION session_unshared() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM shared_turns WHERE grantee = OLD.grantee
      AND turn_key IN (SELECT turn_key FROM turns WHERE session_key = OLD.session_key);
    RETURN NULL;
  END $$;
  CREATE TRIGGER session_unshared AFTER DELETE ON shares FOR EACH ROW EXECUTE FUNCTION session_unshared();
  CREATE FUNCTION turn_recorded() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO shared_turns (grantee, origin, state, create_time, turn_id, turn_key, principal)
      SELECT grantee, NEW.origin, NEW.state, NEW.create_time, NEW.turn_id, NEW.turn_key, NEW.principal
      FROM shares WHERE session_key = NEW.session_key;
    RETURN NULL;
  END $$;
  CREATE TRIGGER turn_recorded AFTER INSERT ON turns FOR EACH ROW EXECUTE FUNCTION turn_recorded();
  CREATE FUNCTION turn_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE shared_turns SET state = NEW.state WHERE turn_key = NEW.turn_key;
    RETURN NULL;
  END $$;
  CREATE TRIGGER turn_moved AFTER UPDATE OF state ON turns FOR EACH ROW EXECUTE FUNCTION turn_moved();
  CREATE FUNCTION turn_taken_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM shared_turns WHERE turn_key = OLD.turn_key;
    RETURN NULL;
  END $$;
  CREATE TRIGGER turn_taken_off AFTER UPDATE OF remove_time ON turns FOR EACH ROW EXECUTE FUNCTION turn_taken_off();
  CREATE TRIGGER turn_removed AFTER DELETE ON turns FOR EACH ROW EXECUTE FUNCTION turn_taken_off();
  `,
  `
  -- What other servers reach it by. Empty: they do not.
  ALTER TABLE replicas ADD COLUMN address text NOT NULL DEFAULT '';
  `,
  `
  -- Counts what is news of a session and no change of a turn: see NewsTable.
  ALTER TABLE newest_change ADD COLUMN session_news bigint NOT NULL DEFAULT 0;
  `,
  `
  -- What agents keep of conversations, in compressed segments of files, and which of them count: see TranscriptsTable.
  CREATE TABLE transcripts (
    session_key ${TEXT} NOT NULL REFERENCES sessions,
    file ${TEXT} NOT NULL,
    generation int NOT NULL,
    start bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (session_key, file, generation, start)
  );
  ALTER TABLE transcripts ALTER COLUMN bytes SET STORAGE EXTERNAL;
  CREATE TABLE transcript_heads (
    session_key ${TEXT} PRIMARY KEY REFERENCES sessions,
    conversation_id text NOT NULL,
    -- JSON: a list of {name, generation, bytes, crc32}.
    files text NOT NULL,
    refusal text NOT NULL,
    time bigint NOT NULL
  );
  `,
  `
  -- It has come from another home, and what there was of it is yet to be brought.
  ALTER TABLE sessions ADD COLUMN is_moved boolean NOT NULL DEFAULT false;
  `,
  `
  -- The newest snapshot of its workspace: see Snapshots. Empty: there is none.
  ALTER TABLE sessions ADD COLUMN snapshot_key text NOT NULL DEFAULT '';
  ALTER TABLE sessions ADD COLUMN snapshot_time bigint NOT NULL DEFAULT 0;
  `,
];

/** The version of the schema that this server writes. */
export const SCHEMA_VERSION = STEPS.length;
