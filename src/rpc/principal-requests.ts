import type { DescMethod } from "@bufbuild/protobuf";
import type { HttpResponse } from "../edge/http.ts";
import { Refusal } from "../errors.ts";
import { Allowance } from "../stream/allowance.ts";
import type { Admission } from "./admission.ts";

/** What a principal may ask at a time. */
export interface PrincipalRequestLimits {
  /** Requests that are not answered yet, but for streams of a server. */
  readonly maxPrincipalRequests: number;
  /** So many of them a second for long. */
  readonly maxPrincipalRequestsPerSecond: number;
}

/** So many seconds' requests may come at once. */
const BURST_SECONDS = 5;
/** When to ask again. Both bounds are over within that, unless more is asked meanwhile. */
const RETRY_MS = 1000;

/** Of how many principals is kept what they asked. */
const MOST_KEPT = 10_000;

/** One principal's. */
interface Asked {
  inFlight: number;
  readonly allowance: Allowance;
}

/**
 * Counts what principals ask, over all their connections, but for streams of turns, which are counted as readers.
 *
 * 1. A request is in flight from its admission until its response is closed, whoever closes it.
 * 2. One that is refused is not in flight, and uses nothing of what may be asked a second.
 * 3. What is kept of those who ask nothing now is bounded: whoever is forgotten may ask as much at once as at first.
 */
export class PrincipalRequests {
  readonly #limits: PrincipalRequestLimits;
  readonly #asked = new Map<string, Asked>();

  constructor(limits: PrincipalRequestLimits) {
    this.#limits = limits;
  }

  /** Counts an admitted request, or refuses it. Others stay as they are. */
  count(admission: Admission, { methodKind }: DescMethod, response: HttpResponse): Admission {
    if (!("caller" in admission) || methodKind === "server_streaming") return admission;
    const asked = this.#of(admission.caller.name);
    const { maxPrincipalRequests: most, maxPrincipalRequestsPerSecond: perSecond } = this.#limits;
    if (asked.inFlight >= most) {
      return refused(
        `${most} requests of this principal are not answered yet, the most of one (BREAKGLASS_MAX_PRINCIPAL_REQUESTS)`,
      );
    }
    if (asked.allowance.isUsedUp) {
      return refused(
        `this principal asks more than ${perSecond} times a second (BREAKGLASS_MAX_PRINCIPAL_REQUESTS_PER_SECOND)`,
      );
    }
    asked.allowance.use();
    asked.inFlight++;
    response.once("close", () => void asked.inFlight--); // 1.
    return admission;
  }

  #of(principal: string): Asked {
    const known = this.#asked.get(principal);
    if (known !== undefined) return known;
    if (this.#asked.size >= MOST_KEPT) this.#forgetIdle(); // 3.
    const { maxPrincipalRequestsPerSecond: perSecond } = this.#limits;
    const allowance = new Allowance(BURST_SECONDS * perSecond, perSecond);
    const asked = { inFlight: 0, allowance };
    this.#asked.set(principal, asked);
    return asked;
  }

  #forgetIdle(): void {
    for (const [principal, { inFlight }] of this.#asked) {
      if (inFlight === 0) this.#asked.delete(principal);
    }
  }
}

function refused(message: string): Admission {
  return { refusal: new Refusal("TOO_MANY_REQUESTS", message, { retryAfterMs: RETRY_MS }) };
}
