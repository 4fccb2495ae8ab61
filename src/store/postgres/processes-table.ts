import type { LeftProcess } from "../records.ts";
import type { Statements } from "./statements.ts";

/** Agents' processes that may live. They outlive turns and, for a while, sessions. */
export class ProcessesTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  async record(process: LeftProcess, epoch: number, owner: string): Promise<void> {
    const { processId, sessionKey, workspace } = process;
    const sql = `INSERT INTO processes (process_id, session_key, workspace, epoch, owner) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (process_id) DO UPDATE SET session_key = excluded.session_key, workspace = excluded.workspace,
        epoch = excluded.epoch, owner = excluded.owner`;
    await this.#statements.run(sql, processId, sessionKey, workspace, epoch, owner);
  }

  async recordGone(processId: string): Promise<void> {
    await this.#statements.run("DELETE FROM processes WHERE process_id = $1", processId);
  }

  /** Makes the process that waits in a workspace the session's. */
  async takeOver(workspace: string, sessionKey: string): Promise<void> {
    const sql = "UPDATE processes SET session_key = $1 WHERE workspace = $2";
    await this.#statements.run(sql, sessionKey, workspace);
  }

  /** A server's that were recorded under leases that have ended. */
  async listLeft(owner: string): Promise<LeftProcess[]> {
    const sql = `SELECT process_id, session_key, workspace FROM processes WHERE owner = $1
      AND epoch NOT IN (SELECT incarnation FROM replicas WHERE NOT fenced) ORDER BY process_id`;
    return (await this.#statements.all(sql, owner)).map((row) => ({
      processId: String(row.process_id),
      sessionKey: String(row.session_key),
      workspace: String(row.workspace),
    }));
  }
}
