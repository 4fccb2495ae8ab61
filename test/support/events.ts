import { toBinary } from "@bufbuild/protobuf";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";

/** A message of either stream. */
export interface EventMessage {
  readonly event?: TurnEvent | undefined;
}

/** The name of a kind of event. */
export type KindName = Exclude<TurnEvent["kind"]["case"], undefined>;

/** Reads a stream to its end. */
export async function collect(stream: AsyncIterable<EventMessage>): Promise<TurnEvent[]> {
  return Array.fromAsync(stream, ({ event }) => event!);
}

/** The events that are on record. */
export function durable(events: readonly TurnEvent[]): TurnEvent[] {
  return events.filter((event) => event.sequence > 0);
}

/** What happened, in order. */
export function cases(events: readonly TurnEvent[]): (KindName | undefined)[] {
  return events.map((event) => event.kind.case);
}

/** What an event of a kind holds. */
export type ValueOf<K extends KindName> = Extract<TurnEvent["kind"], { case: K }>["value"];

/** What the events of one kind hold, in order. */
export function valuesOf<K extends KindName>(events: readonly TurnEvent[], kind: K): ValueOf<K>[] {
  return events.flatMap(({ kind: found }) =>
    found.case === kind ? [found.value as ValueOf<K>] : [],
  );
}

/** The events as bytes, for comparing streams to the last one of them. */
export function bytesOf(events: readonly TurnEvent[]): string[] {
  return events.map((event) => Buffer.from(toBinary(TurnEventSchema, event)).toString("base64"));
}
