import { fromBinary } from "@bufbuild/protobuf";
import { sizeDelimitedEncode } from "@bufbuild/protobuf/wire";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type TurnEvent, TurnEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { type EncodedEvent, readEvent } from "../turns/encoded-event.ts";
import { type FlatMember, membersOf, readMembers, timeOf } from "./flat-members.ts";
import { delimitedTag, varintTag, WireReading } from "./wire-reading.ts";

/** A kind of event in flat JSON. */
export interface FlatKind {
  /** As in the proto, in snake_case. */
  readonly name: string;
  /** Those beside what every event has. */
  readonly members: readonly FlatMember[];
}

/** An event in flat JSON. */
export interface FlatEvent {
  /** The name of its kind. */
  readonly kind: string;
  /** Its place in its turn; of a checkpoint the place that it tells of, after which its reader goes on. */
  readonly sequence: number;
  /**
   * One flat JSON object without a line break: `kind`, `sequence`, `turn_id`, `session_id`, `create_time`, and the members of
   * its kind.
   */
  readonly json: string;
}

/** What an event is that this server has no name for. */
const UNKNOWN: FlatKind = { name: "unknown", members: [] };

/** Every kind, by the tag of its field. */
const KINDS: ReadonlyMap<number, FlatKind> = new Map(
  TurnEventSchema.oneofs[0]!.fields.map(({ number, name, message }) => [
    delimitedTag(number),
    { name, members: flatMembers(name, membersOf(message!)) },
  ]),
);

/** Every kind. */
export const FLAT_KINDS: readonly FlatKind[] = [...KINDS.values()];

const { sequence, turnId, sessionId, createTime } = TurnEventSchema.field;
const TAGS = {
  sequence: varintTag(sequence.number),
  turnId: delimitedTag(turnId.number),
  sessionId: delimitedTag(sessionId.number),
  createTime: delimitedTag(createTime.number),
};

/**
 * Writes events as flat JSON out of the bytes that they are on disk as: to build messages of them first takes twice as long.
 *
 * What the events of a stream have in common is written once.
 */
export class FlatEvents {
  readonly #turnId = new Repeated((bytes) => JSON.stringify(bytes.toString()));
  readonly #sessionId = new Repeated((bytes) => JSON.stringify(bytes.toString()));
  readonly #time = new Repeated((bytes) => timeOf(fromBinary(TimestampSchema, bytes)) ?? "null");

  /** @throws Refusal DATA_LOSS where the bytes are not an event. */
  of(event: EncodedEvent): FlatEvent {
    return readEvent(event, (bytes) => this.#read(new WireReading(bytes)));
  }

  /** An event that is not durable. */
  ofTransient(event: TurnEvent): FlatEvent {
    const { kind } = event;
    const place = kind.case === "checkpoint" ? kind.value.sequence : event.sequence;
    return this.of(sizeDelimitedEncode(TurnEventSchema, { ...event, sequence: place }));
  }

  #read(from: WireReading): FlatEvent {
    let sequence = 0;
    let [turnId, sessionId, time, members] = ['""', '""', "", ""];
    let kind = UNKNOWN;
    while (from.at < from.length) {
      const tag = from.uint32();
      const known = KINDS.get(tag);
      if (known !== undefined) {
        kind = known;
        members = readMembers(kind.members, from, from.end());
      } else if (tag === TAGS.sequence) sequence = from.uint32();
      else if (tag === TAGS.turnId) turnId = this.#turnId.read(from);
      else if (tag === TAGS.sessionId) sessionId = this.#sessionId.read(from);
      else if (tag === TAGS.createTime) time = `,"create_time":${this.#time.read(from)}`;
      else from.skip(tag);
    }
    const head = `{"kind":"${kind.name}","sequence":${sequence},"turn_id":${turnId}`;
    const json = `${head},"session_id":${sessionId}${time}${members}}`;
    return { kind: kind.name, sequence, json };
  }
}

/** A text that is made of the same bytes again and again. */
class Repeated {
  readonly #make: (bytes: Buffer) => string;
  #bytes: Buffer | undefined;
  #text = "";

  constructor(make: (bytes: Buffer) => string) {
    this.#make = make;
  }

  read(from: WireReading): string {
    if (this.#bytes === undefined || !from.passes(this.#bytes)) {
      // A copy: what it is a part of is larger and would live as long.
      this.#bytes = Buffer.from(from.bytes());
      this.#text = this.#make(this.#bytes);
    }
    return this.#text;
  }
}

/** A checkpoint's sequence is that of the line; what an error says is also called `error`. */
function flatMembers(kind: string, members: readonly FlatMember[]): readonly FlatMember[] {
  if (kind === "checkpoint") return members.filter(({ name }) => name !== "sequence");
  if (kind !== "error") return members;
  return members.flatMap((member) =>
    member.name === "message"
      ? [{ ...member, name: "error", tag: undefined, sameAs: member }, member]
      : [member],
  );
}
