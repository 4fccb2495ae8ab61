import type { Statements } from "./statements.ts";

/** Every id that the agent had for a session's conversations: each is one session's, until nothing is left of that. */
export class ConversationsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** As `Store.claimConversation`. */
  claim(sessionKey: string, agentSessionId: string): boolean {
    const claim =
      "INSERT OR IGNORE INTO conversations (agent_session_id, session_key) VALUES (?, ?)";
    if (this.#statements.run(claim, agentSessionId, sessionKey) > 0) return true;
    const owner = "SELECT session_key FROM conversations WHERE agent_session_id = ?";
    return this.#statements.get(owner, agentSessionId)?.session_key === sessionKey;
  }

  /** Adds the first one of a session. Fails where it is another's: ids of new conversations are made at random. */
  add(sessionKey: string, agentSessionId: string): void {
    const sql = "INSERT INTO conversations (agent_session_id, session_key) VALUES (?, ?)";
    this.#statements.run(sql, agentSessionId, sessionKey);
  }

  listOf(sessionKey: string): string[] {
    const sql = "SELECT agent_session_id FROM conversations WHERE session_key = ?";
    return this.#statements.all(sql, sessionKey).map((row) => String(row.agent_session_id));
  }

  removeOf(sessionKey: string): void {
    this.#statements.run("DELETE FROM conversations WHERE session_key = ?", sessionKey);
  }
}
