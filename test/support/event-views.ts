import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";

/** The name of a kind of event. */
export type KindName = Exclude<TurnEvent["kind"]["case"], undefined>;

/** What an event of a kind holds. */
export type ValueOf<K extends KindName> = Extract<TurnEvent["kind"], { case: K }>["value"];

/** What the events of one kind hold, in order. */
export function valuesOf<K extends KindName>(events: readonly TurnEvent[], kind: K): ValueOf<K>[] {
  return events.flatMap(({ kind: found }) =>
    found.case === kind ? [found.value as ValueOf<K>] : [],
  );
}

/** The kinds of the durable events, in order. */
export function durableKinds(events: readonly TurnEvent[]): KindName[] {
  return events.flatMap((event) =>
    event.sequence > 0 && event.kind.case ? [event.kind.case] : [],
  );
}

/** Everything that a stream of responses yields. */
export async function eventsOf(
  responses: AsyncIterable<{ event?: TurnEvent | undefined }>,
): Promise<TurnEvent[]> {
  return (await Array.fromAsync(responses)).flatMap(({ event }) => (event ? [event] : []));
}
