import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  DurationSchema,
  durationMs,
  type Timestamp,
  TimestampSchema,
  timestampDate,
} from "@bufbuild/protobuf/wkt";
import { isJson } from "../rpc/json-object.ts";
import { delimitedTag, doubleTag, varintTag, type WireReading } from "./wire-reading.ts";

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
  /** What stands in front of its value; unset: it has that of another member. */
  readonly tag: number | undefined;
  /** The member whose value it has. */
  readonly sameAs?: FlatMember;
  /** The text of its value where the message does not have it. Undefined: it is left out. */
  readonly unset: string | undefined;
  /** Reads a value into its text; of a list, the next entry into that of those before. Undefined: it is left out. */
  read(from: WireReading, before: string | undefined): string | undefined;
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

/**
 * Reads a message into the text of its members, each with the comma and its name in front.
 *
 * @param end - Where it ends.
 */
export function readMembers(
  members: readonly FlatMember[],
  from: WireReading,
  end: number,
): string {
  const values = members.map(({ unset }) => unset);
  while (from.at < end) {
    const tag = from.uint32();
    let index = 0;
    while (index < members.length && members[index]!.tag !== tag) index++;
    if (index === members.length) from.skip(tag);
    else values[index] = members[index]!.read(from, values[index]);
  }
  if (from.at !== end) throw new RangeError("premature EOF");

  let text = "";
  for (let index = 0; index < members.length; index++) {
    const { name, sameAs } = members[index]!;
    const value = values[sameAs === undefined ? index : members.indexOf(sameAs)];
    if (value !== undefined) text += `,"${name}":${value}`;
  }
  return text;
}

function memberOf(field: DescField): FlatMember {
  const shape = shapeOf(field);
  const isRequired =
    field.fieldKind === "list" ||
    (field.fieldKind !== "message" && !field.proto.proto3Optional && shape.is !== "json");
  return {
    name: nameOf(field, shape),
    shape,
    isRequired,
    tag: tagOf(field),
    unset: isRequired ? unsetOf(shape) : undefined,
    read: readerOf(field, shape),
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

function tagOf(field: DescField): number {
  if (field.fieldKind === "enum") return varintTag(field.number);
  if (field.fieldKind !== "scalar" || field.scalar === ScalarType.STRING)
    return delimitedTag(field.number);
  return field.scalar === ScalarType.DOUBLE ? doubleTag(field.number) : varintTag(field.number);
}

/** The text of what a message has where it has nothing. */
function unsetOf(shape: FlatShape): string {
  switch (shape.is) {
    case "boolean":
      return "false";
    case "integer":
    case "number":
      return "0";
    case "list":
      return "[]";
    case "enum":
      return JSON.stringify(spokenName(shape.values, 0));
    default:
      return '""';
  }
}

function readerOf(field: DescField, shape: FlatShape): FlatMember["read"] {
  switch (shape.is) {
    case "string":
      return (from) => JSON.stringify(from.text());
    case "json":
      return (from) => jsonOf(from.text());
    case "boolean":
      return (from) => String(from.by((reader) => reader.bool()));
    case "number":
      return (from) => JSON.stringify(from.by((reader) => reader.double()));
    case "integer":
      return integerReader(field);
    case "enum":
      return (from) =>
        JSON.stringify(
          spokenName(
            shape.values,
            from.by((reader) => reader.int32()),
          ),
        );
    case "time":
      return (from) => timeOf(fromBinary(TimestampSchema, from.bytes()));
    case "milliseconds":
      return (from) => String(durationMs(fromBinary(DurationSchema, from.bytes())));
    case "object":
      return (from) => objectOf(shape.message, from);
    case "list":
      return (from, before = "[]") => {
        const comma = before === "[]" ? "" : ",";
        return `${before.slice(0, -1)}${comma}${objectOf(shape.message, from)}]`;
      };
  }
}

/** Also such as are longer than what a program takes: they are written to the digit. */
function integerReader(field: DescField): FlatMember["read"] {
  switch (field.scalar) {
    case ScalarType.UINT32:
      return (from) => String(from.uint32());
    case ScalarType.INT32:
      return (from) => String(from.by((reader) => reader.int32()));
    case ScalarType.INT64:
      return (from) => String(from.by((reader) => reader.int64()));
    case ScalarType.UINT64:
      return (from) => String(from.by((reader) => reader.uint64()));
    default:
      throw new Error(`flat JSON has no way to read ${field.toString()}`);
  }
}

function objectOf(desc: DescMessage, from: WireReading): string {
  const end = from.end();
  return `{${readMembers(membersOf(desc), from, end).slice(1)}}`;
}

/**
 * JSON as it was written, to the digit, on one line: between its values a line break is as good as a space, and in its texts
 * there is none. What is no JSON stands as a text.
 */
function jsonOf(text: string): string | undefined {
  if (text === "") return undefined;
  return isJson(text) ? text.replaceAll(/[\r\n]/g, " ") : JSON.stringify(text);
}

/** Undefined: there is no such time. */
export function timeOf(time: Timestamp): string | undefined {
  const date = timestampDate(time);
  return Number.isNaN(date.getTime()) ? undefined : `"${date.toISOString()}"`;
}
