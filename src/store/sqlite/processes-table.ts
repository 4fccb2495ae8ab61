import type { LeftProcess } from "../records.ts";
import type { Statements } from "./statements.ts";

/** Agents' processes that may live. They outlive turns and, for a while, sessions. */
export class ProcessesTable {
  readonly #statements: Statements;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  record({ processId, sessionKey, workspace }: LeftProcess, epoch: number, owner: string): void {
    const sql = `INSERT OR REPLACE INTO processes (process_id, session_key, workspace, epoch, owner)
      VALUES (?, ?, ?, ?, ?)`;
    this.#statements.run(sql, processId, sessionKey, workspace, epoch, owner);
  }

  recordGone(processId: string): void {
    this.#statements.run("DELETE FROM processes WHERE process_id = ?", processId);
  }

  /** Makes the process that waits in a workspace the session's. */
  takeOver(workspace: string, sessionKey: string): void {
    const sql = "UPDATE processes SET session_key = ? WHERE workspace = ?";
    this.#statements.run(sql, sessionKey, workspace);
  }

  /** A server's that were recorded under leases that have ended. */
  listLeft(owner: string, isEnded: (epoch: number) => boolean): LeftProcess[] {
    const sql = "SELECT * FROM processes WHERE owner = ?";
    const left = this.#statements.all(sql, owner).filter(({ epoch }) => isEnded(Number(epoch)));
    return left.map((row) => ({
      processId: String(row.process_id),
      sessionKey: String(row.session_key),
      workspace: String(row.workspace),
    }));
  }
}
