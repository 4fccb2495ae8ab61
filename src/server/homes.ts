import type { Homes } from "../cluster/homes.ts";
import type { Store } from "../store/store.ts";
import type { Turns } from "../turns/turns.ts";

/** Where sessions and turns are at home, as the store knows: a store that one server has alone knows of no others. */
export function homesOf({ lease }: Pick<Store, "lease">, turns: Pick<Turns, "runs">): Homes {
  return {
    owner: lease.owner,
    runsHere: (turnId) => turns.runs(turnId),
    homeOfSession: async () => undefined,
    homeOfTurn: async () => undefined,
  };
}
