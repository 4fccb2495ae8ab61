import type { Statements } from "./statements.ts";

/**
 * Every id that the agent had for a session's conversations: among those of agents of its kind each is one session's, until
 * nothing is left of that.
 */
export class ConversationsTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  /** As `Store.claimConversation`. */
  claim(sessionKey: string, agentSessionId: string): boolean {
    // Fails where there is no such session.
    const claim = `INSERT OR IGNORE INTO conversations (session_key, agent_session_id, agent_kind)
      VALUES (?1, ?2, coalesce((SELECT agent_kind FROM sessions WHERE session_key = ?1), ''))`;
    if (this.#statements.run(claim, sessionKey, agentSessionId) > 0) return true;
    const own = "SELECT 1 FROM conversations WHERE session_key = ? AND agent_session_id = ?";
    return this.#statements.get(own, sessionKey, agentSessionId) !== undefined;
  }

  /** Adds one that is chosen for a new session. Fails where it is another's: such ids are made at random. */
  add(sessionKey: string, agentKind: string, agentSessionId: string): void {
    const sql =
      "INSERT INTO conversations (agent_kind, agent_session_id, session_key) VALUES (?, ?, ?)";
    this.#statements.run(sql, agentKind, agentSessionId, sessionKey);
  }

  listOf(sessionKey: string): string[] {
    const sql = "SELECT agent_session_id FROM conversations WHERE session_key = ?";
    return this.#statements.all(sql, sessionKey).map((row) => String(row.agent_session_id));
  }

  removeOf(sessionKey: string): void {
    this.#statements.run("DELETE FROM conversations WHERE session_key = ?", sessionKey);
  }
}
