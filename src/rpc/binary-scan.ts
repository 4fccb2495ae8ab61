import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { Refusal } from "../errors.ts";
import {
  MAX_DEPTH,
  MAX_ELEMENTS,
  tooDeep,
  tooManyElements,
  tooMuchText,
  wrongField,
} from "./message-bounds.ts";

const MAX_VARINT_BYTES = 10;

/**
 * Holds a message in Protobuf's binary format against its bounds before anything is built of it. Costs by field, and not by
 * byte: what stands in a field is passed over.
 *
 * It also holds fields against the types that they have: a reader that takes one for another would find fields where this
 * found none.
 *
 * @param textBytes - What all strings may have together.
 * @throws Refusal INVALID_ARGUMENT, with the field where it is one.
 */
export function scanBinary(desc: DescMessage, bytes: Uint8Array, textBytes: number): void {
  new BinaryScan(desc, bytes, textBytes).message(desc, bytes.length, 1, "");
}

class BinaryScan {
  readonly #desc: DescMessage;
  readonly #bytes: Uint8Array;
  readonly #textBytes: number;
  #at = 0;
  #elements = 0;
  #text = 0;

  constructor(desc: DescMessage, bytes: Uint8Array, textBytes: number) {
    this.#desc = desc;
    this.#bytes = bytes;
    this.#textBytes = textBytes;
  }

  /** @param path - Of the fields that lead to it, such as `attachments[1].`. */
  message(desc: DescMessage, end: number, depth: number, path: string): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    const items = new Map<DescField, number>();
    while (this.#at < end) {
      const { number, wireType } = this.#tag(end);
      const field = desc.fields.find((known) => known.number === number);
      if (field === undefined) {
        this.#skip(number, wireType, end, depth);
        continue;
      }
      let name = `${path}${field.name}`;
      if (field.fieldKind === "list") {
        const index = items.get(field) ?? 0;
        items.set(field, index + 1);
        name += `[${index}]`;
      }
      this.#field(field, wireType, end, depth, name);
    }
  }

  #field(field: DescField, wireType: number, end: number, depth: number, name: string): void {
    if (isPacked(field, wireType)) {
      this.#numbers(this.#length(end));
      return;
    }
    if (wireType !== wireTypeOf(field)) {
      throw this.#malformed(`${name} has the wrong type: ${wireType}`);
    }
    if (wireType !== WireType.LengthDelimited) {
      this.#skip(field.number, wireType, end, depth);
      return;
    }
    const fieldEnd = this.#length(end);
    if (field.message !== undefined) {
      this.message(field.message, fieldEnd, depth + 1, `${name}.`);
    } else if (field.scalar === ScalarType.STRING) {
      this.#string(this.#bytes.subarray(this.#at, fieldEnd), name);
    }
    this.#at = fieldEnd;
  }

  /** The numbers of a list that is written as one field. */
  #numbers(end: number): void {
    while (this.#at < end) {
      if (++this.#elements > MAX_ELEMENTS) throw tooManyElements();
      this.#varint(end);
    }
  }

  #string(utf8: Uint8Array, name: string): void {
    this.#text += utf8.length;
    if (this.#text > this.#textBytes) throw tooMuchText(name, this.#textBytes);
    if (!isUtf8(utf8)) throw wrongField(name, "must be UTF-8");
  }

  #tag(end: number): { number: number; wireType: number } {
    if (++this.#elements > MAX_ELEMENTS) throw tooManyElements();
    const tag = this.#varint(end);
    const number = tag >>> 3;
    if (number === 0) throw this.#malformed("a field has the number 0");
    return { number, wireType: tag & 7 };
  }

  /** Passes over what is not looked at. */
  #skip(number: number, wireType: number, end: number, depth: number): void {
    switch (wireType) {
      case WireType.Varint:
        this.#varint(end);
        return;
      case WireType.Bit64:
        this.#advance(8, end);
        return;
      case WireType.LengthDelimited:
        this.#at = this.#length(end);
        return;
      case WireType.StartGroup:
        this.#group(number, end, depth + 1);
        return;
      case WireType.Bit32:
        this.#advance(4, end);
        return;
      default:
        throw this.#malformed(`field ${number} has a type that does not exist: ${wireType}`);
    }
  }

  #group(opened: number, end: number, depth: number): void {
    if (depth > MAX_DEPTH) throw tooDeep();
    for (;;) {
      const { number, wireType } = this.#tag(end);
      if (wireType !== WireType.EndGroup) this.#skip(number, wireType, end, depth);
      else if (number === opened) return;
      else throw this.#malformed("a group ends that did not begin");
    }
  }

  /** Where what is as long as is written here ends. */
  #length(end: number): number {
    const length = this.#varint(end);
    if (length > end - this.#at) throw this.#malformed("it ends in the middle of a field");
    return this.#at + length;
  }

  #advance(bytes: number, end: number): void {
    if (bytes > end - this.#at) throw this.#malformed("it ends in the middle of a field");
    this.#at += bytes;
  }

  /** Its lower 32 bits. */
  #varint(end: number): number {
    let value = 0;
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      if (this.#at >= end) throw this.#malformed("it ends in the middle of a field");
      const byte = this.#bytes[this.#at++]!;
      if (count < 5) value |= (byte & 0x7f) << (7 * count);
      if (byte < 0x80) return value >>> 0;
    }
    throw this.#malformed("a number is too long");
  }

  #malformed(why: string): Refusal {
    const message = `the message is no ${this.#desc.name} in Protobuf's binary format: ${why}`;
    return new Refusal("INVALID_ARGUMENT", message);
  }
}

function isEnumList(field: DescField): boolean {
  return field.fieldKind === "list" && field.listKind === "enum";
}

/** Whether it is a list of strings or bytes: each comes in a field of its own. */
function isTextList({ fieldKind, scalar }: DescField): boolean {
  return fieldKind === "list" && (scalar === ScalarType.STRING || scalar === ScalarType.BYTES);
}

/** Whether all items of a list come in one field: readers take both ways of writing it. */
function isPacked(field: DescField, wireType: number): boolean {
  return isEnumList(field) && wireType === WireType.LengthDelimited;
}

/**
 * How a field is written.
 *
 * @throws Error where it is of a kind that no request has: maps, groups and lists of other numbers.
 */
function wireTypeOf(field: DescField): WireType {
  if (field.message !== undefined && !field.delimitedEncoding && field.fieldKind !== "map") {
    return WireType.LengthDelimited;
  }
  if (isTextList(field)) return WireType.LengthDelimited;
  if (field.fieldKind === "enum" || isEnumList(field)) return WireType.Varint;
  if (field.fieldKind !== "scalar") throw new Error(`${field} is of a kind that is not scanned`);
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
