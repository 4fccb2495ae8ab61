import { closeSync, createReadStream, existsSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";

const SQLITE = "SQLite format 3\0";
const LONGEST_LINE = 16 * 1024 * 1024;
const FILE_OWNER = "the server of this file";

/**
 * The lines of a chain in a file: an export, or a store, which no server may have open.
 *
 * @throws Error with a message for the operator where there is no chain in it to be read.
 */
export async function* readChainFile(path: string): AsyncGenerator<string> {
  if (isDatabase(path)) yield* storeLines(path);
  else yield* exactLines(path);
}

/** The lines of a file of any kind, such as a log. @param path - `-`: what is piped in. */
export async function* fileLines(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: open(path), crlfDelay: Infinity });
}

/** What stands before each line feed, and behind the last: empty lines too, and what else a line ends with. */
async function* exactLines(path: string): AsyncGenerator<string> {
  let rest = "";
  // A byte a unit: what is not ASCII is in no record.
  for await (const piece of open(path).setEncoding("latin1")) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > LONGEST_LINE) throw new Error("it has a line that is longer than any record");
  }
  if (rest !== "") yield rest;
}

function open(path: string): Readable {
  return path === "-" ? process.stdin : createReadStream(path);
}

function isDatabase(path: string): boolean {
  if (path === "-" || !existsSync(path)) return false;
  const fd = openSync(path, "r");
  try {
    const begin = Buffer.alloc(SQLITE.length);
    readSync(fd, begin, 0, begin.length, 0);
    return begin.toString("latin1") === SQLITE;
  } finally {
    closeSync(fd);
  }
}

function* storeLines(path: string): Generator<string> {
  const database = openStore(path);
  try {
    const rows = database
      .prepare(
        // A chain has the places from its number times 2^32 on: see AuditTable.
        `SELECT line FROM audit_chains
           JOIN audit ON place BETWEEN number << 32 AND (number + 1 << 32) - 1
           WHERE owner = ? ORDER BY place`,
      )
      .iterate(FILE_OWNER);
    for (const { line } of rows) yield String(line);
  } finally {
    database.close();
  }
}

/**
 * A store that was closed is read as it is: SQLite would make files beside it, which whoever reads it may own, and not the
 * server's user. One that was not has its newest records in its log, `-wal`.
 */
function placeOf(path: string): URL {
  const url = pathToFileURL(path);
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  return url;
}

function openStore(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(placeOf(path), { readOnly: true, timeout: 0 });
    database.prepare("SELECT count(*) FROM sqlite_master").get();
    const table = "SELECT 1 FROM sqlite_master WHERE name = 'audit_chains'";
    if (database.prepare(table).get() !== undefined) return database;
    database.close();
    throw new Error("it has no audit: no server that keeps one has opened it yet");
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message: string };
    const isHeld = errcode === 5 || errcode === 6;
    throw new Error(
      isHeld ? "a server has it open: leave the file out, and that is asked" : message,
    );
  }
}
