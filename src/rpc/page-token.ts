import { z } from "zod";
import { Refusal } from "../errors.ts";

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** How many items a page has where a request asks for `asked`. */
export function pageSizeOf(asked: number): number {
  return Math.min(asked || DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE);
}

/** Page tokens of one list: opaque to clients, worth something only for the list that they were made for. */
export class PageTokens<P extends z.ZodType> {
  readonly #content: z.ZodTuple<[z.ZodString, z.ZodString, P]>;
  readonly #list: string;

  constructor(list: string, place: P) {
    this.#list = list;
    this.#content = z.tuple([z.string(), z.string(), place]);
  }

  /** The token of a place; empty where there is none. */
  encode(scope: string, place: z.output<P> | undefined): string {
    if (place === undefined) return "";
    return Buffer.from(JSON.stringify([this.#list, scope, place])).toString("base64url");
  }

  /**
   * The place of a token; undefined for the empty one.
   *
   * @throws Refusal INVALID_ARGUMENT where the token is not one of this list's.
   */
  decode(scope: string, token: string): z.output<P> | undefined {
    if (token === "") return undefined;
    const parsed = this.#content.safeParse(parseJson(Buffer.from(token, "base64url").toString()));
    if (parsed.success) {
      const [list, madeFor, place] = parsed.data as [string, string, z.output<P>];
      if (list === this.#list && madeFor === scope) return place;
    }
    const description = "must be empty or the next_page_token of an answer to the same request";
    throw new Refusal("INVALID_ARGUMENT", `page_token ${description}`, {
      violations: [{ field: "page_token", description }],
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
