import { text } from "node:stream/consumers";
import { open } from "../http/support.ts";

/** A scrape's answer. */
export interface Scrape {
  readonly status: number;
  readonly body: string;
  /** The samples by their names and labels, as they are written. */
  readonly samples: ReadonlyMap<string, number>;
}

/** Scrapes a server as Prometheus does. */
export async function scrape(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Scrape> {
  const answer = await open(`${url}/metrics`, { headers });
  const body = await text(answer);
  return { status: answer.statusCode!, body, samples: samplesOf(body) };
}

function samplesOf(body: string): ReadonlyMap<string, number> {
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}
