/** What SQLite's primary result codes (sqlite.org/rescode.html) mean to an operator, and what to do. */
const MEANINGS: ReadonlyMap<number, string> = new Map([
  [5, "another server uses it"],
  [6, "another server uses it"],
  [8, "it cannot be written: look at its permissions and at how its file system is mounted"],
  [10, "the disk failed or is full: look at the free space and at the machine's log"],
  [11, "it is damaged: stop the server, keep a copy, and rescue it with `sqlite3 FILE .recover`"],
  [13, "the disk is full: free some space"],
  [
    14,
    "it cannot be opened: it takes a file in a folder that the server's user may write, and a file descriptor that is free",
  ],
  [26, "it is not a database: another program's file is in its place, or its beginning is damaged"],
]);

/** Says in words what went wrong in the database. Errors that are not SQLite's are given as they are. */
export function explainSqliteError(error: unknown): string {
  const { errcode, message } = error as { errcode?: number; message?: string };
  if (errcode === undefined) return message ?? String(error);
  // The primary code is the lowest byte of an extended one.
  const meaning = MEANINGS.get(errcode & 0xff);
  return meaning === undefined ? `${message} (SQLite ${errcode})` : `${meaning} (${message})`;
}
