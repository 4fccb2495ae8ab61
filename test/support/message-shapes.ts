import { type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** A kind of message that costs, or once cost, far more to read than to send. */
export interface MessageShape {
  readonly name: string;
  /** A message of about so many bytes, for a request of that type. */
  readonly make: (desc: DescMessage, bytes: number) => Buffer;
}

const tag = (number: number, wireType: number) => varint(number * 8 + wireType);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** One piece over and over. */
function filled(bytes: number, piece: Uint8Array | string): Buffer {
  const one = Buffer.from(piece as string);
  return Buffer.alloc(Math.max(1, Math.floor(bytes / one.length)) * one.length, one);
}

function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([tag(number, 2), varint(content.length), content]);
}

/** The number of the last of a message's strings, which is one of the longest that it may have. */
function textField(desc: DescMessage): number {
  const text = desc.fields.find(({ name }) => name === "prompt" || name === "message");
  return (text ?? desc.fields.find(({ scalar }) => scalar === ScalarType.STRING))?.number ?? 1;
}

const listField = (desc: DescMessage) =>
  desc.fields.find(({ fieldKind }) => fieldKind === "list")?.number ?? 1;

const FORMAT_ERROR = Buffer.from([0xff, 0xfe, 0xc3]);

/** In Protobuf's binary format. */
export const BINARY_SHAPES: readonly MessageShape[] = [
  { name: "unknown fields", make: (_, bytes) => filled(bytes, Buffer.from([0x78, 0x01])) },
  { name: "unknown groups", make: (_, bytes) => filled(bytes, Buffer.from([0x7b, 0x7c])) },
  { name: "nested groups", make: (_, bytes) => filled(bytes, Buffer.from([0x7b])) },
  {
    name: "empty items",
    make: (desc, bytes) => filled(bytes, field(listField(desc), Buffer.alloc(0))),
  },
  {
    name: "one string again and again",
    make: (desc, bytes) => filled(bytes, field(textField(desc), Buffer.from("é"))),
  },
  {
    name: "items that differ",
    make: (desc, bytes) =>
      Buffer.concat(
        Array.from({ length: Math.min(bytes / 12, 100_000) }, (_, index) =>
          field(listField(desc), field(1, Buffer.from(`n${index}`))),
        ),
      ),
  },
  { name: "a long string", make: (desc, bytes) => field(textField(desc), filled(bytes, "a")) },
  { name: "long wide text", make: (desc, bytes) => field(textField(desc), filled(bytes, "漢𝄞é")) },
  { name: "a long id", make: (_, bytes) => field(1, filled(bytes, "é")) },
  {
    name: "a name of accents",
    make: (desc, bytes) =>
      field(listField(desc), field(1, filled(Math.min(bytes, 100_000), "\u0301\u0316"))),
  },
  {
    name: "bad UTF-8",
    make: (desc, bytes) => field(textField(desc), filled(bytes, FORMAT_ERROR)),
  },
  { name: "a number without end", make: (_, bytes) => filled(bytes, Buffer.from([0x80])) },
  {
    name: "fields of other types",
    make: (_, bytes) => filled(bytes, Buffer.from([0x48, 0x7f, 0x10, 0x7f])),
  },
  { name: "a truncated field", make: (_, bytes) => field(1, filled(bytes, "a")).subarray(0, -1) },
  { name: "noise", make: (_, bytes) => noise(bytes) },
];

/** In JSON. */
export const JSON_SHAPES: readonly MessageShape[] = [
  { name: "distinct keys", make: (_, bytes) => json(keys(bytes)) },
  { name: "nested lists", make: (_, bytes) => json(`{"x":${"[".repeat(bytes)}`) },
  {
    name: "nested lists that end",
    make: (_, bytes) => json(`{"x":${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}}`),
  },
  { name: "nested objects", make: (_, bytes) => json('{"a":'.repeat(bytes / 5)) },
  { name: "numbers", make: (_, bytes) => json(`{"x":[${"1,".repeat(bytes / 2)}1]}`) },
  {
    name: "empty items",
    make: (desc, bytes) => json(`{"${nameOf(desc)}":[${"{},".repeat(bytes / 3)}{}]}`),
  },
  { name: "a long string", make: (desc, bytes) => text(desc, "a".repeat(bytes)) },
  { name: "an escaped string", make: (desc, bytes) => text(desc, "\\u0041".repeat(bytes / 6)) },
  { name: "escaped quotes", make: (desc, bytes) => text(desc, '\\"'.repeat(bytes / 2)) },
  { name: "control characters", make: (desc, bytes) => text(desc, "\\u0001".repeat(bytes / 6)) },
  { name: "a long unknown key", make: (_, bytes) => json(`{"${"k".repeat(bytes)}":1}`) },
  { name: "a number without end", make: (_, bytes) => json(`{"pageSize":${"1".repeat(bytes)}}`) },
  {
    name: "digits without end",
    make: (_, bytes) => json(`{"timeout":"${"1".repeat(bytes)}s","afterCursor":"1"}`),
  },
  {
    name: "a long cursor",
    make: (_, bytes) => json(`{"afterCursor":"${"9".repeat(bytes)}","afterSequence":"9"}`),
  },
  { name: "white space", make: (_, bytes) => json(`{${" ".repeat(bytes)}}`) },
  { name: "bad base64", make: (_, bytes) => data("*".repeat(bytes)) },
  { name: "base64 in lines", make: (_, bytes) => data("QUJD\\n".repeat(bytes / 6)) },
  {
    name: "bad UTF-8",
    make: (_, bytes) => Buffer.concat([json('{"x":"'), filled(bytes, FORMAT_ERROR), json('"}')]),
  },
  { name: "quotes", make: (_, bytes) => filled(bytes, '"') },
  { name: "noise", make: (_, bytes) => noise(bytes) },
];

const json = (text: string) => Buffer.from(text);
const text = (desc: DescMessage, value: string) =>
  json(`{"${desc.fields.find(({ number }) => number === textField(desc))?.jsonName}":"${value}"}`);
const data = (base64: string) =>
  json(`{"prompt":"x","attachments":[{"name":"a","mediaType":"text/plain","data":"${base64}"}]}`);
const nameOf = (desc: DescMessage) =>
  desc.fields.find(({ number }) => number === listField(desc))?.jsonName;

function keys(bytes: number): string {
  const members: string[] = [];
  for (let size = 0, index = 0; size < bytes; index++) {
    const member = `"${index.toString(36)}":0`;
    size += member.length + 1;
    members.push(member);
  }
  return `{${members.join()}}`;
}

/** Longer than any compression looks back: it finds nothing that comes again. */
const NOISE = Buffer.alloc(256 * 1024);
for (let at = 0, state = 1; at < NOISE.length; at++) {
  state = Math.imul(state, 1103515245) + 12345;
  NOISE[at] = state >> 16;
}

/** The same each time. */
function noise(bytes: number): Buffer {
  return Buffer.alloc(bytes, NOISE);
}
