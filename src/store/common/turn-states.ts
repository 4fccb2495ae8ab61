import { TurnState } from "../../../gen/breakglass/v1/event_pb.ts";

/** Every state. */
export const STATES = Object.values(TurnState).filter(
  (state) => typeof state === "number" && state !== TurnState.UNSPECIFIED,
) as TurnState[];
