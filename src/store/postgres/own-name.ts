import { randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";

/** The name of a server, for as long as its disk is there. */
export interface OwnName {
  readonly name: string;
  /** Lets the next server have it. Idempotent. */
  close(): void;
}

/**
 * The name that a server has on its disk, over its restarts. Nobody else has it at a time: the file is locked, as SQLite locks
 * one, and the lock goes with the process that has it, however that ends.
 *
 * @throws Error with a message for the operator, where another server has it or it cannot be written.
 */
export function openOwnName(path: string): OwnName {
  const database = new DatabaseSync(path);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    database.exec("CREATE TABLE IF NOT EXISTS server (name TEXT NOT NULL) STRICT");
    const known = database.prepare("SELECT name FROM server").get()?.name;
    const name = known === undefined ? randomUUID() : String(known);
    if (known === undefined) database.prepare("INSERT INTO server (name) VALUES (?)").run(name);
    // The lock is kept beyond it.
    database.exec("COMMIT");
    let isOpen = true;
    return {
      name,
      close() {
        if (isOpen) database.close();
        isOpen = false;
      },
    };
  } catch (error) {
    database.close();
    const { errcode, message } = error as { errcode?: number; message: string };
    const isLocked = errcode === 5 || errcode === 6;
    throw new Error(`${path}: ${isLocked ? "another server uses it" : message}`, { cause: error });
  }
}
