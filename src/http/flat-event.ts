import type { Message } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type FlatMember, membersOf } from "./flat-members.ts";

/** A kind of event in flat JSON. */
export interface FlatKind {
  /** As in the proto, in snake_case. */
  readonly name: string;
  /** Those beside what every event has. */
  readonly members: readonly FlatMember[];
}

/** What an event is that this server has no name for. */
const UNKNOWN: FlatKind = { name: "unknown", members: [] };

/** Every kind, by the name that the generated code has for it. */
export const FLAT_KINDS: ReadonlyMap<string | undefined, FlatKind> = new Map(
  TurnEventSchema.oneofs[0]!.fields.map(({ localName, name, message }) => [
    localName,
    { name, members: flatMembers(name, membersOf(message!)) },
  ]),
);

/** The kind of an event. */
export function flatKindOf({ kind }: TurnEvent): FlatKind {
  return FLAT_KINDS.get(kind.case) ?? UNKNOWN;
}

/** The place of an event in its turn; of a checkpoint the place that it tells of, after which its reader goes on. */
export function flatSequenceOf({ sequence, kind }: TurnEvent): number {
  return kind.case === "checkpoint" ? kind.value.sequence : sequence;
}

/**
 * An event as one flat JSON object without a line break: `kind`, `sequence`, `turn_id`, `session_id`, `create_time`, and the
 * members of its kind.
 */
export function flatEvent(event: TurnEvent): string {
  const { name, members } = flatKindOf(event);
  const { turnId, sessionId, createTime, kind } = event;
  const time = createTime === undefined ? "" : `,"create_time":${timeText(createTime)}`;
  let text = `{"kind":"${name}","sequence":${flatSequenceOf(event)},"turn_id":${JSON.stringify(turnId)},"session_id":${JSON.stringify(sessionId)}${time}`;
  for (const member of members) text += member.write(kind.value as Message);
  return `${text}}`;
}

function timeText(time: NonNullable<TurnEvent["createTime"]>): string {
  const date = timestampDate(time);
  return Number.isNaN(date.getTime()) ? "null" : `"${date.toISOString()}"`;
}

/** A checkpoint's sequence is that of the line; what an error says is also called `error`. */
function flatMembers(kind: string, members: readonly FlatMember[]): readonly FlatMember[] {
  if (kind === "checkpoint") return members.filter(({ name }) => name !== "sequence");
  if (kind !== "error") return members;
  return members.flatMap((member) =>
    member.name === "message" ? [named("error", member), member] : [member],
  );
}

function named(name: string, member: FlatMember): FlatMember {
  const length = `,"${member.name}":`.length;
  return {
    ...member,
    name,
    write: (message) => `,"${name}":${member.write(message).slice(length)}`,
  };
}
