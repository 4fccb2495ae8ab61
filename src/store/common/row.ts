import type { SQLOutputValue } from "node:sqlite";

/** A row as a database answers it, by the names of its columns. */
export type Row = Record<string, SQLOutputValue>;
