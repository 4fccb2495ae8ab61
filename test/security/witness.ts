import { Agent, request } from "node:http";
import { request as requestTls, Agent as TlsAgent } from "node:https";
import { setTimeout as delay } from "node:timers/promises";

const PATH = "/breakglass.v1.BreakglassService/ListSessions";
const EVERY_MS = 20;
/** Nobody waits longer, whoever attacks: a hundred times what it takes. */
const LONGEST_MS = 10_000;

/** Another client, which asks again and again while a server is attacked. */
export interface Witness extends AsyncDisposable {
  /** How often it was answered. */
  readonly answers: number;
  /** What it waited longest for an answer, in milliseconds; the one that it waits for now is counted. */
  readonly longestMs: number;
  /** What went wrong. Empty: it was answered as it should be every time. */
  readonly faults: readonly string[];
}

/** Starts one over a connection of its own that is kept; it ends with its scope. */
export function startWitness(url: string, headers: Readonly<Record<string, string>> = {}): Witness {
  const isTls = url.startsWith("https:");
  const agent = isTls
    ? new TlsAgent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false })
    : new Agent({ keepAlive: true, maxSockets: 1 });
  const faults: string[] = [];
  let [answers, longestMs, askedAt] = [0, 0, performance.now()];
  let isOver = false;
  const ask = () =>
    new Promise<void>((resolve) => {
      askedAt = performance.now();
      const options = {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", ...headers },
        timeout: LONGEST_MS,
      };
      const asked = (isTls ? requestTls : request)(`${url}${PATH}`, options, (response) => {
        if (response.statusCode !== 200) faults.push(`was answered ${response.statusCode}`);
        response.resume().once("end", () => {
          answers++;
          resolve();
        });
      });
      asked.once("timeout", () => asked.destroy(new Error(`no answer within ${LONGEST_MS} ms`)));
      asked.once("error", (error) => {
        faults.push(error.message);
        resolve();
      });
      asked.end("{}");
    });
  const watching = (async () => {
    while (!isOver) {
      await ask();
      longestMs = Math.max(longestMs, performance.now() - askedAt);
      await delay(EVERY_MS);
    }
  })();
  return {
    get answers() {
      return answers;
    },
    get longestMs() {
      return longestMs;
    },
    faults,
    async [Symbol.asyncDispose]() {
      isOver = true;
      await watching;
      agent.destroy();
    },
  };
}
