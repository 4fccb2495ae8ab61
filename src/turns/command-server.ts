import type { Caller } from "../identity/caller.ts";
import type { CommandServer } from "../store/commands.ts";
import type { ApprovalAnswer, SteerTurn } from "../turn-requests.ts";

/** What is asked of turns, as a caller here asks it. */
interface CalledTurns {
  cancel(turnId: string, caller: Caller): Promise<unknown>;
  interrupt(turnId: string, caller: Caller): Promise<unknown>;
  steer(request: SteerTurn, caller: Caller): Promise<{ readonly sequence: number }>;
  resolveApproval(
    resolution: { turnId: string; approvalId: string; answer: ApprovalAnswer },
    caller: Caller,
  ): Promise<unknown>;
}

/** Has turns do what other servers send to those that run here, as if it were asked of this one. */
export function commandServer(
  turns: CalledTurns,
  runs: (turnId: string) => boolean,
): CommandServer {
  return {
    runs,
    async perform({ turnId, caller, ask }) {
      switch (ask.case) {
        case "cancel":
          await turns.cancel(turnId, caller);
          return undefined;
        case "interrupt":
          await turns.interrupt(turnId, caller);
          return undefined;
        case "steer":
          return (await turns.steer({ turnId, ...ask }, caller)).sequence;
        case "resolveApproval":
          await turns.resolveApproval({ turnId, ...ask }, caller);
          return undefined;
      }
    },
  };
}
