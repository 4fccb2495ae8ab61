import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { refuseOtherSchema } from "../sqlite/migration-plan.ts";
import { explainSqliteError } from "../sqlite/sqlite-failure.ts";
import { SqliteSide } from "./sqlite-side.ts";

/**
 * Opens a file to be copied. No server can open it until it is closed, and nothing in it is changed.
 *
 * @throws Error with a message for the operator, where a server has it open or it is not of this version's schema.
 */
export function openSqliteSource(path: string, ownName: string | undefined): SqliteSide {
  if (!existsSync(path)) throw new Error("there is no store");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    // From the first read on, as a server has it.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    refuseOtherSchema(database);
    database.exec("BEGIN EXCLUSIVE");
    return new SqliteSide(database, ownName);
  } catch (error) {
    database?.close();
    throw new Error(explainSqliteError(error), { cause: error });
  }
}
