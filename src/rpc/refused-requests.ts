import type { HttpRequest } from "../edge/http.ts";
import { peerOfRequest } from "../edge/peer.ts";
import type { Refusal } from "../errors.ts";
import type { Happenings } from "../happenings.ts";
import type { RefusedSignIns } from "../identity/refused-sign-ins.ts";
import type { Log } from "../log.ts";
import type { Admission } from "./admission.ts";

/** At most one line of a reason in so long. */
const LOG_MS = 60_000;

/**
 * What becomes of requests that were refused for who sent them, before anything of them was read: for want of a credential
 * (`RefusedSignIns`), for being an agent (`AgentAttempts`), or for all that its principal left before. The first of a reason is logged at once, how many followed it
 * in the minute after that when the next one comes. Of those that were refused for their host or origin the listener warns,
 * with what to set.
 */
export class RefusedRequests {
  readonly #log: Log;
  readonly #signIns: RefusedSignIns;
  readonly #happenings: Pick<Happenings, "requestRefused">;
  readonly #told = new Map<Refusal["reason"], { time: number; since: number }>();

  /** @param happenings - Is told of every request that is refused. */
  constructor(log: Log, signIns: RefusedSignIns, happenings: Pick<Happenings, "requestRefused">) {
    this.#log = log;
    this.#signIns = signIns;
    this.#happenings = happenings;
  }

  /** A request was refused, for who sent it or for what it asks. */
  count(reason: string): void {
    this.#happenings.requestRefused(reason);
  }

  /**
   * Tells of a request, and resolves when it may be answered.
   *
   * @param since - When it came, a time of `performance.now`.
   * @param gone - Aborts when nobody waits for the answer any more.
   */
  async hold(
    admission: Admission,
    request: HttpRequest,
    since: number,
    gone: AbortSignal,
  ): Promise<void> {
    if ("caller" in admission) return;
    const { refusal, signIn, byAgent } = admission;
    if (byAgent !== undefined) this.#signIns.tellAgent(byAgent);
    else if (signIn === undefined) this.#tell(refusal, peerOfRequest(request).address);
    else await this.#signIns.hold(signIn, since, gone);
  }

  #tell({ reason, message }: Refusal, from: string): void {
    if (reason === "ORIGIN_NOT_ALLOWED") return;
    const now = performance.now();
    const told = this.#told.get(reason);
    if (told !== undefined && now - told.time < LOG_MS) {
      told.since++;
      return;
    }
    this.#told.set(reason, { time: now, since: 0 });
    const further = told === undefined || told.since === 0 ? {} : { sinceTheLast: told.since };
    this.#log.warn("a request was refused", { reason, why: message, from, ...further });
  }
}
