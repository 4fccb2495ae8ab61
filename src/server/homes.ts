import type { Homes } from "../cluster/homes.ts";
import type { Store } from "../store/store.ts";
import type { Turns } from "../turns/turns.ts";

/** Where sessions and turns are at home, as the store knows. */
export function homesOf(store: Store, turns: Pick<Turns, "runs">): Homes {
  return {
    owner: store.lease.owner,
    runsHere: (turnId) => turns.runs(turnId),
    homeOfSession: (session) => store.homeOfSession(session),
    homeOfTurn: (turnId) => store.homeOfTurn(turnId),
  };
}
