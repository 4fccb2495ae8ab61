import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** What stands for bytes that are no UTF-8, and may stand in a text itself. */
const REPLACEMENT = "\ufffd";
/** Of four bytes, each with seven. */
const SHORT_BITS = 28;

/**
 * Reads a serialized message from its start to its end, field by field; tags, short numbers and texts at less cost than the
 * library's reader, which reads all else.
 *
 * Everything throws where the bytes are not what is asked for.
 */
export class WireReading {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** How many bytes were read. */
  get at(): number {
    return this.#at;
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#bytes.length;
  }

  /** A number of at most 32 bits, or a tag. */
  uint32(): number {
    let value = 0;
    for (let shift = 0; shift < SHORT_BITS; shift += 7) {
      const byte = this.#bytes[this.#at + shift / 7]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#at += shift / 7 + 1;
        return value;
      }
    }
    return this.by((reader) => reader.uint32());
  }

  /** Where something ends that stands behind its length. */
  end(): number {
    const length = this.uint32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("premature EOF");
    return end;
  }

  /** A text, behind its length. */
  text(): string {
    const start = this.#at;
    const end = this.end();
    const text = this.#bytes.toString("utf8", this.#at, end);
    if (text.includes(REPLACEMENT)) {
      this.#at = start;
      return this.by((reader) => reader.string(true));
    }
    this.#at = end;
    return text;
  }

  /** Goes past what stands behind its length where that is these bytes; answers whether it is. */
  passes(expected: Uint8Array): boolean {
    const start = this.#at;
    const end = this.end();
    const isSame = this.#holds(expected, this.#at, end);
    this.#at = isSame ? end : start;
    return isSame;
  }

  /** What stands behind its length, as it is. */
  bytes(): Buffer {
    const end = this.end();
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  /** Goes past a value that is not known. */
  skip(tag: number): void {
    this.by((reader) => reader.skip((tag & 7) as WireType, tag >>> 3));
  }

  /** Has the library's reader read what comes next. */
  by<T>(read: (reader: BinaryReader) => T): T {
    const reader = new BinaryReader(this.#bytes);
    reader.pos = this.#at;
    const value = read(reader);
    this.#at = reader.pos;
    return value;
  }

  /** A call of the system's own takes longer than a look at the few bytes of an id. */
  #holds(expected: Uint8Array, start: number, end: number): boolean {
    if (end - start !== expected.length) return false;
    for (let i = 0; i < expected.length; i++) {
      if (this.#bytes[start + i] !== expected[i]) return false;
    }
    return true;
  }
}

/** The tag of a field whose value is a text, a message or bytes. */
export function delimitedTag(number: number): number {
  return (number << 3) | WireType.LengthDelimited;
}

/** The tag of a field whose value is a whole number, a truth value or of an enum. */
export function varintTag(number: number): number {
  return (number << 3) | WireType.Varint;
}

/** The tag of a field whose value is a double. */
export function doubleTag(number: number): number {
  return (number << 3) | WireType.Bit64;
}
