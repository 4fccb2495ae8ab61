import { type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";

/** A line of a stream, or a problem. */
export type Flat = Readonly<Record<string, unknown>>;

/** What a plain request was answered with. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** What a test says of a request. */
export interface PlainAsked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Makes a plain request, and resolves with the headers of its answer. `fetch` would set some of a request's itself. */
export function open(url: string, asked: PlainAsked = {}): Promise<IncomingMessage> {
  const { body, headers = {}, method = body === undefined ? "GET" : "POST" } = asked;
  const type = body === undefined ? {} : { "content-type": "application/json" };
  return new Promise((resolve, reject) => {
    const options = { method, agent: false, headers: { ...type, ...headers } };
    request(url, options, resolve).on("error", reject).end(body);
  });
}

/** Makes a plain request, and reads its answer to the end. */
export async function ask(url: string, asked: PlainAsked = {}): Promise<PlainAnswer> {
  const response = await open(url, asked);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: await text(response),
  };
}

/** Runs a turn to its end, and answers with its lines. */
export async function runPlain(url: string, prompt: string, more: Flat = {}): Promise<Flat[]> {
  const body = JSON.stringify({ prompt, ...more });
  return linesOf((await ask(`${url}/v1/turns`, { body })).body);
}

/** The lines of a body, as objects. */
export function linesOf(body: string): Flat[] {
  if (!body.endsWith("\n")) throw new Error(`the last line is not whole: ${body.slice(-100)}`);
  return body
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Flat);
}

/** The events of a body, as the fields of each. */
export function sseOf(body: string): Flat[] {
  return body
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/s, 2))));
}
