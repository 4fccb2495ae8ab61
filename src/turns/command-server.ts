import type { CommandServer } from "../store/commands.ts";
import type { ApprovalAnswer, SteerTurn } from "../turn-requests.ts";

/** What is asked of turns, as a caller here asks it. */
interface CalledTurns {
  cancel(turnId: string, principal: string): Promise<unknown>;
  interrupt(turnId: string, principal: string): Promise<unknown>;
  steer(request: SteerTurn, principal: string): Promise<{ readonly sequence: number }>;
  resolveApproval(
    resolution: { turnId: string; approvalId: string; answer: ApprovalAnswer },
    principal: string,
  ): Promise<unknown>;
}

/** Has turns do what other servers send to those that run here, as if it were asked of this one. */
export function commandServer(
  turns: CalledTurns,
  runs: (turnId: string) => boolean,
): CommandServer {
  return {
    runs,
    async perform({ turnId, principal, ask }) {
      switch (ask.case) {
        case "cancel":
          await turns.cancel(turnId, principal);
          return undefined;
        case "interrupt":
          await turns.interrupt(turnId, principal);
          return undefined;
        case "steer":
          return (await turns.steer({ turnId, ...ask }, principal)).sequence;
        case "resolveApproval":
          await turns.resolveApproval({ turnId, ...ask }, principal);
          return undefined;
      }
    },
  };
}
