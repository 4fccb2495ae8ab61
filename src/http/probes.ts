import { PROBES } from "../edge/request-target.ts";
import { leaveUnread } from "../edge/unread-request.ts";
import type { ReadinessCheck } from "../health/readiness.ts";
import type { Admissions } from "../rpc/admission.ts";
import type { Call } from "../rpc/request-listener.ts";
import { allowMethods } from "./allow-methods.ts";
import { INERT_HEADERS } from "./inert-headers.ts";

/** What probes are answered by. */
export interface Probed {
  readonly checks: () => Promise<readonly ReadinessCheck[]>;
  readonly admissionOf: Admissions;
}

/** A check as JSON. `problem`, `warning` and `mend` tell of the machine, and are for who is admitted. */
interface ShownCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly problem?: string;
  readonly warning?: string;
  readonly mend?: string;
}

/**
 * What answers the probes of a platform, which have no token and call the server by whatever address it has: `/healthz`, whether
 * the process answers at all, and `/readyz`, whether it can run a turn and what is in the way. Undefined: another path.
 */
export function probeAnswers({ checks, admissionOf }: Probed) {
  const ready = async (call: Call) => {
    const { request, refusal } = call;
    const admission = await admissionOf(request, refusal);
    const isAdmitted = "caller" in admission;
    if (isAdmitted) call.admitted();
    const shown = (await checks()).map((check) => shownCheck(check, isAdmitted));
    const isReady = shown.every(({ ok }) => ok);
    await respondJson(call, isReady ? 200 : 503, { ready: isReady, checks: shown });
  };
  const healthy = (call: Call) => respondJson(call, 200, { status: "ok" });
  return (path: string): ((call: Call) => Promise<void>) | undefined => {
    if (path === PROBES.health) return healthy;
    return path === PROBES.readiness ? ready : undefined;
  };
}

function shownCheck(check: ReadinessCheck, isAdmitted: boolean): ShownCheck {
  const { name, obstacle, warning } = check;
  if (obstacle === undefined) {
    const told = isAdmitted && warning !== undefined;
    return { name, ok: true, ...(told ? { warning: warning.why, mend: warning.mend } : {}) };
  }
  return isAdmitted
    ? { name, ok: false, problem: obstacle.why, mend: obstacle.mend }
    : { name, ok: false };
}

async function respondJson({ request, response }: Call, status: number, body: unknown) {
  allowMethods(request, ["GET", "HEAD"]);
  await leaveUnread(request, response);
  response.writeHead(status, {
    "content-type": "application/json",
    "cache-control": "no-store",
    ...INERT_HEADERS,
  });
  response.end(`${JSON.stringify(body)}\n`);
}
