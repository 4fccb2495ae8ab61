import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { failure, type MachineCheck, type Outcome, warning, well } from "./examination.ts";

const API = "https://api.anthropic.com";
const ANSWER_MS = 10_000;
/** Certificates, JWTs and the API's own signatures are refused by a clock that is further off. */
const MAX_SKEW_MS = 60_000;

/** What the API, or a proxy on the way to it, answered. */
interface Answer {
  readonly status: number;
  /** Its clock, in milliseconds since the epoch. NaN: it does not say. */
  readonly date: number;
}

/** Whether the model's API answers at all. No credential is sent. */
export const apiCheck: MachineCheck = {
  name: "api",
  async look({ environment }, signal) {
    const proxy = environment.HTTPS_PROXY || environment.https_proxy;
    const url = environment.ANTHROPIC_BASE_URL || API;
    if (proxy) {
      return (await reach(proxy, "the proxy of HTTPS_PROXY", signal)).outcome;
    }
    return (await reach(url, "the model's API", signal)).outcome;
  },
};

/** Whether this machine's clock is the API's. */
export const clockCheck: MachineCheck = {
  name: "clock",
  async look({ environment }, signal) {
    const url = environment.ANTHROPIC_BASE_URL || API;
    const { answer } = await reach(url, "the model's API", signal);
    if (answer === undefined || Number.isNaN(answer.date)) {
      return warning(
        "nobody is there to compare the clock with",
        "look whether it is synchronized: timedatectl",
      );
    }
    const skewS = Math.round((Date.now() - answer.date) / 1000);
    const off = Math.abs(skewS);
    if (off * 1000 <= MAX_SKEW_MS) return well(`the clock is within ${off + 1} s of the API's`);
    const side = skewS > 0 ? "ahead of" : "behind";
    return failure(`the clock is ${off} s ${side} the API's`, "set it: timedatectl set-ntp true");
  },
};

async function reach(
  address: string,
  what: string,
  signal: AbortSignal,
): Promise<{ outcome: Outcome; answer?: Answer }> {
  const shown = shownUrl(address);
  try {
    const answer = await ask(address, signal);
    return { answer, outcome: well(`${what} answers at ${shown}`) };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as NodeJS.ErrnoException;
    const mend =
      "look at the network and its proxies, or set ANTHROPIC_BASE_URL to an API that answers; a repair has no agent without";
    return { outcome: failure(`${what} does not answer at ${shown}: ${code ?? message}`, mend) };
  }
}

/** Any answer will do. */
function ask(address: string, signal: AbortSignal): Promise<Answer> {
  const url = new URL(address);
  const request = url.protocol === "https:" ? requestHttps : requestHttp;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  return new Promise((resolve, reject) => {
    request(url, { method: "HEAD", agent: false, signal: bounded }, (response) => {
      const { statusCode = 0, headers } = response;
      resolve({ status: statusCode, date: Date.parse(headers.date ?? "") });
      response.destroy();
    })
      .on("error", reject)
      .end();
  });
}

/** Without what may be a secret. */
function shownUrl(address: string): string {
  if (!URL.canParse(address)) return "an address that is no URL";
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
}
