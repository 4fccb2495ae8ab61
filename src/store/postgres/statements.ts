import { hash } from "node:crypto";
import type { ClientBase, CustomTypesConfig, QueryResult } from "pg";
import pg from "pg";
import type { Row } from "../common/row.ts";

/** What can be bound to a statement. A `Buffer` is sent as it is: bytes, or an array in PostgreSQL's binary form. */
export type Value = string | number | null | Buffer | readonly string[] | readonly number[];

const INT8 = 20;

/** Whole numbers are numbers: none of ours is beyond what they hold exactly. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8
      ? Number
      : pg.types.getTypeParser(oid, format)) as CustomTypesConfig["getTypeParser"],
};

/**
 * Whether a statement was prepared on another schema: a newer server has added columns to what it reads. By the function that says so, for
 * its code has other meanings, and its words are in the database's language.
 */
export function isOutdated(error: unknown): boolean {
  const { code, routine } = error as { code?: unknown; routine?: unknown };
  return code === "0A000" && routine === "RevalidateCachedQuery";
}

/** The statements of one connection, each prepared once, and all of them again where one is outdated: what failed so may be done again. */
export class Statements {
  readonly #client: ClientBase;
  readonly #names = new Map<string, string>();
  #generation = 0;

  constructor(client: ClientBase) {
    this.#client = client;
  }

  /** The first row; undefined where there is none. */
  async get(text: string, ...values: Value[]): Promise<Row | undefined> {
    return (await this.#query(text, values)).rows[0];
  }

  /** All rows. */
  async all(text: string, ...values: Value[]): Promise<Row[]> {
    return (await this.#query(text, values)).rows;
  }

  /** Answers how many rows it changed. */
  async run(text: string, ...values: Value[]): Promise<number> {
    return (await this.#query(text, values)).rowCount ?? 0;
  }

  /** What is not prepared, and takes no values. */
  async exec(text: string): Promise<void> {
    await this.#client.query(text);
  }

  async #query(text: string, values: readonly Value[]): Promise<QueryResult<Row>> {
    let name = this.#names.get(text);
    if (name === undefined) {
      name = `${hash("sha1", text)}_${this.#generation}`;
      this.#names.set(text, name);
    }
    try {
      return await this.#client.query<Row>({ name, text, values: values.map(sent) });
    } catch (error) {
      if (isOutdated(error)) this.#prepareAgain();
      throw error;
    }
  }

  #prepareAgain(): void {
    this.#generation++;
    this.#names.clear();
  }
}

/** A text of PostgreSQL's has no place for a zero, which an agent may put into an id: it is another one, wherever it is asked for. */
function sent(value: Value): Value {
  return typeof value === "string" && value.includes("\0")
    ? value.replaceAll("\0", "\ufffd")
    : value;
}
