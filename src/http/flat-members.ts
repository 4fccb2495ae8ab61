import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  durationMs,
  type Timestamp,
  TimestampSchema,
  timestampDate,
} from "@bufbuild/protobuf/wkt";
import { isJson } from "../rpc/json-object.ts";

/** How the value of a field stands in flat JSON. */
export type FlatShape =
  | { readonly is: "string" | "boolean" | "integer" | "number" | "json" | "time" | "milliseconds" }
  | { readonly is: "enum"; readonly values: DescEnum }
  | { readonly is: "object" | "list"; readonly message: DescMessage };

/** A field of a message in flat JSON. */
export interface FlatMember {
  /** The member's name, in snake_case. */
  readonly name: string;
  readonly shape: FlatShape;
  /** Whether it is always there; else it is left out where the message does not have it. */
  readonly isRequired: boolean;
  /** Its text, with the comma and the name in front of it; empty: it is left out. */
  write(message: Message): string;
}

const JSON_SUFFIX = "_json";
const known = new Map<DescMessage, readonly FlatMember[]>();

/** The members of a message, in the order of its fields. */
export function membersOf(desc: DescMessage): readonly FlatMember[] {
  const found = known.get(desc) ?? desc.fields.map(memberOf);
  known.set(desc, found);
  return found;
}

/** An enum's value as it is spoken of: without the prefix that all of its names share. */
export function spokenName({ value, sharedPrefix = "" }: DescEnum, number: number): string {
  const name = value[number]?.name;
  // Of a server that is newer.
  return name === undefined ? String(number) : name.slice(sharedPrefix.length);
}

function memberOf(field: DescField): FlatMember {
  const shape = shapeOf(field);
  const name = nameOf(field, shape);
  const textOf = writerOf(shape);
  const begin = `,"${name}":`;
  return {
    name,
    shape,
    isRequired:
      field.fieldKind === "list" ||
      (field.fieldKind !== "message" && !field.proto.proto3Optional && shape.is !== "json"),
    write(message) {
      const value = (message as unknown as Record<string, unknown>)[field.localName];
      const text = value === undefined ? undefined : textOf(value as never);
      return text === undefined ? "" : begin + text;
    },
  };
}

function nameOf({ name }: DescField, { is }: FlatShape): string {
  if (is === "milliseconds") return `${name}_ms`;
  return is === "json" ? name.slice(0, -JSON_SUFFIX.length) : name;
}

function shapeOf(field: DescField): FlatShape {
  if (field.fieldKind === "enum") return { is: "enum", values: field.enum };
  if (field.fieldKind === "list" && field.listKind === "message")
    return { is: "list", message: field.message };
  if (field.fieldKind === "message") {
    if (field.message.typeName === TimestampSchema.typeName) return { is: "time" };
    if (field.message.typeName === DurationSchema.typeName) return { is: "milliseconds" };
    return { is: "object", message: field.message };
  }
  if (field.fieldKind === "scalar") {
    const { scalar, name } = field;
    if (scalar === ScalarType.STRING) return { is: name.endsWith(JSON_SUFFIX) ? "json" : "string" };
    if (scalar === ScalarType.BOOL) return { is: "boolean" };
    if (scalar === ScalarType.DOUBLE) return { is: "number" };
    if (scalar !== ScalarType.BYTES && scalar !== ScalarType.FLOAT) return { is: "integer" };
  }
  throw new Error(`flat JSON has no way to write ${field.toString()}`);
}

/** Answers undefined for what is to be left out. */
function writerOf(shape: FlatShape): (value: never) => string | undefined {
  switch (shape.is) {
    case "json":
      return jsonOf;
    case "time":
      return timeOf;
    case "milliseconds":
      return (duration: Duration) => String(durationMs(duration));
    case "enum":
      return (number: number) => JSON.stringify(spokenName(shape.values, number));
    case "object":
      return (message: Message) => objectOf(shape.message, message);
    case "list":
      return (all: readonly Message[]) =>
        `[${all.map((message) => objectOf(shape.message, message)).join()}]`;
    case "integer":
      // Also such as are longer than what a program takes: they are written to the digit.
      return (value: number | bigint) => String(value);
    default:
      return (value: string | number | boolean) => JSON.stringify(value);
  }
}

function objectOf(desc: DescMessage, message: Message): string {
  const members = membersOf(desc).map((member) => member.write(message));
  return `{${members.join("").slice(1)}}`;
}

/**
 * JSON as it was written, to the digit, on one line: between its values a line break is as good as a space, and in its texts
 * there is none. What is no JSON stands as a text.
 */
function jsonOf(text: string): string | undefined {
  if (text === "") return undefined;
  return isJson(text) ? text.replaceAll(/[\r\n]/g, " ") : JSON.stringify(text);
}

function timeOf(time: Timestamp): string | undefined {
  const date = timestampDate(time);
  return Number.isNaN(date.getTime()) ? undefined : `"${date.toISOString()}"`;
}
