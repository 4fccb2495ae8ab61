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
  async claim(sessionKey: string, agentSessionId: string): Promise<boolean> {
    // Fails where there is no such session.
    const claim = `INSERT INTO conversations (session_key, agent_session_id, agent_kind)
      VALUES ($1, $2, coalesce((SELECT agent_kind FROM sessions WHERE session_key = $1), '')) ON CONFLICT DO NOTHING`;
    if ((await this.#statements.run(claim, sessionKey, agentSessionId)) > 0) return true;
    const own = "SELECT 1 FROM conversations WHERE session_key = $1 AND agent_session_id = $2";
    return (await this.#statements.get(own, sessionKey, agentSessionId)) !== undefined;
  }

  /** Adds one that is chosen for a new session. Fails where it is another's: such ids are made at random. */
  async add(sessionKey: string, agentKind: string, agentSessionId: string): Promise<void> {
    const sql =
      "INSERT INTO conversations (agent_kind, agent_session_id, session_key) VALUES ($1, $2, $3)";
    await this.#statements.run(sql, agentKind, agentSessionId, sessionKey);
  }

  async listOf(sessionKey: string): Promise<string[]> {
    const sql =
      "SELECT agent_session_id FROM conversations WHERE session_key = $1 ORDER BY agent_session_id";
    const rows = await this.#statements.all(sql, sessionKey);
    return rows.map((row) => String(row.agent_session_id));
  }

  async removeOf(sessionKey: string): Promise<void> {
    await this.#statements.run("DELETE FROM conversations WHERE session_key = $1", sessionKey);
  }
}
