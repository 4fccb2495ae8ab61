import type { ProcessFamilies } from "../agent/process/process-families.ts";
import { AgentAttempts } from "../identity/agent-attempts.ts";
import type { RefusedSignIns } from "../identity/refused-sign-ins.ts";
import type { Log } from "../log.ts";
import type { Turns } from "../turns/turns.ts";
import type { ServerAudit } from "./audit.ts";

/** Has the log and the audit tell of requests that agents make, and in which turn. */
export function heedAgentAttempts(
  refused: RefusedSignIns,
  { peers }: Pick<ProcessFamilies, "peers">,
  turns: Turns,
  audit: ServerAudit,
  log: Log,
): void {
  const attempts = new AgentAttempts({
    log,
    turnOf(processId) {
      const sessionKey = peers.sessionKeyOf(processId);
      const turn = sessionKey === undefined ? undefined : turns.runningIn(sessionKey);
      return turn && { sessionId: turn.sessionId, turnId: turn.turnId };
    },
    note({ attempt, turn, since, count }) {
      const { address, means = "none", principal, tokenId: token_id } = attempt;
      const why = "a process of an agent made it";
      const facts = { means, why, address, principal, token_id, since, count };
      audit.note({ kind: "sign_in_refused", ...turn, facts });
    },
  });
  refused.listenToAgents(attempts.count);
}
