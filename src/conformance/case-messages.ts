import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import {
  type WatchSessionResponse,
  WatchSessionResponseSchema,
  type WatchTurnsResponse,
  WatchTurnsResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  ErrorEventSchema,
  PermissionDenialSchema,
  type TurnEvent,
  TurnEventSchema,
  UsageSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import type { ConformanceCase } from "./case.ts";

// Messages as the files have them: proto3's JSON, with the fields' own names.

/** The turn and its session in answers that stand in the server's place. */
export const TURN_ID = "0191d1f0-0000-7000-8000-000000000001";
/** As {@link TURN_ID}. */
export const SESSION_ID = "0191d1f0-0000-4000-8000-000000000002";

/** A field that no version of the proto has, for kinds that are newer than the client. */
const NEWER_FIELD = { no: 900, wireType: 2, data: Uint8Array.of(3, 0x6e, 0x65, 0x77) };

/** An object of JSON. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The event that a file means; `unknown: true` makes its kind one that is newer than any client. */
export function eventOf({ unknown, ...fields }: JsonObject): TurnEvent {
  const event = fromJson(TurnEventSchema, {
    turn_id: TURN_ID,
    session_id: SESSION_ID,
    create_time: "2026-01-02T03:04:05Z",
    ...fields,
  } as JsonValue);
  if (unknown === true) event.$unknown = [NEWER_FIELD];
  return event;
}

/** The change of a session that a file means. */
export function changeOf(fields: JsonObject): WatchSessionResponse {
  return fromJson(WatchSessionResponseSchema, fields as JsonValue);
}

/** The change of a turn that a file means. */
export function turnChangeOf(fields: JsonObject): WatchTurnsResponse {
  return fromJson(WatchTurnsResponseSchema, fields as JsonValue);
}

/** A change that a driver printed, as it is compared. @param call - What was to be called, as `watch_turns`. */
export function printedChange(call: string, printed: unknown): JsonObject {
  return call === "watch_turns"
    ? printedMessage(WatchTurnsResponseSchema, printed)
    : printedMessage(WatchSessionResponseSchema, printed);
}

/** A message as it is compared: every field is there under its own name, and of a `oneof` the one that is set. */
export function comparable<S extends DescMessage>(schema: S, message: MessageShape<S>): JsonObject {
  const all = { useProtoFieldName: true, alwaysEmitImplicit: true };
  return toJson(schema, message, all) as JsonObject;
}

/** What a driver printed of a message, as it is compared. Fields that the kit does not know are left out. */
export function printedMessage<S extends DescMessage>(schema: S, printed: unknown): JsonObject {
  return comparable(schema, fromJson(schema, printed as JsonValue, { ignoreUnknownFields: true }));
}

/** The messages in the outcome of `run_turn`. */
const OUTCOME_MESSAGES = { usage: UsageSchema, turn: TurnSchema, error: ErrorEventSchema };

/** What a driver printed of an outcome, as it is compared. What is no message of the proto's stays as it is. */
export function printedOutcome(printed: unknown): JsonObject {
  const outcome: Record<string, unknown> = { ...(printed as JsonObject) };
  for (const [name, schema] of Object.entries(OUTCOME_MESSAGES)) {
    if (outcome[name] != null) outcome[name] = printedMessage(schema, outcome[name]);
  }
  const { permission_denials } = outcome;
  if (Array.isArray(permission_denials)) {
    const denialOf = (one: unknown) => printedMessage(PermissionDenialSchema, one);
    outcome.permission_denials = permission_denials.map(denialOf);
  }
  return outcome;
}

/** The kinds that an event or a change can have, as their `oneof` has them. */
export const EVENT_KINDS: readonly string[] = TurnEventSchema.oneofs[0]!.fields.map(
  ({ name }) => name,
);
/** As {@link EVENT_KINDS}, of both watches. */
export const CHANGE_KINDS: readonly string[] = [
  WatchSessionResponseSchema,
  WatchTurnsResponseSchema,
]
  .flatMap(({ oneofs }) => oneofs[0]!.fields)
  .map(({ name }) => name);

/** The kind of an event or a change in JSON; undefined: it has none that is known. */
export function kindOf(message: JsonObject): string | undefined {
  return [...EVENT_KINDS, ...CHANGE_KINDS].find((kind) => kind in message);
}

/** Of what each call that streams sends. */
const PARSERS: Readonly<Record<string, (fields: JsonObject) => unknown>> = {
  stream_turn: eventOf,
  attach_turn: eventOf,
  watch_session: changeOf,
  watch_turns: turnChangeOf,
};

/** What is wrong with the messages of a case: a field that there is not, or a value that it cannot have. */
export function messageProblems({ call, calls = [], expect }: ConformanceCase): string[] {
  const sent = calls.flatMap((rule) => ("send" in rule ? rule.send : []));
  const parse = PARSERS[call];
  const tries: (() => unknown)[] = [
    ...sent.map((one) => () => one !== null && !("pause" in one) && parse?.(one)),
    ...(expect.events ?? []).map((one) => () => eventOf(one)),
    ...(expect.changes ?? []).map((one) => () => parse?.(one)),
  ];
  return tries.flatMap((attempt) => {
    try {
      attempt();
      return [];
    } catch (error) {
      return [error instanceof Error ? error.message : String(error)];
    }
  });
}
