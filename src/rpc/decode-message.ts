import { brotliDecompressSync, gunzipSync } from "node:zlib";
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { Refusal } from "../errors.ts";
import { scanBinary } from "./binary-scan.ts";
import { jsonShapeOf } from "./json-scan.ts";
import {
  MAX_DEPTH,
  MAX_ELEMENTS,
  MessageTooLarge,
  tooDeep,
  tooManyElements,
  tooMuchText,
} from "./message-bounds.ts";
import { partsOf } from "./message-parts.ts";

/** What messages are compressed with. */
export const ENCODINGS = ["gzip", "br"] as const;

/** A message as it came. */
export interface ReceivedMessage {
  readonly bytes: Uint8Array;
  /** Undefined: it is not compressed. */
  readonly encoding: (typeof ENCODINGS)[number] | undefined;
  readonly isJson: boolean;
  /** What it may have, decompressed; it was held against that as it came. */
  readonly maxBytes: number;
  /** What its strings may have together. */
  readonly textBytes: number;
  /** What becomes of JSON with fields that this server does not know. They are ignored where this is not set. */
  readonly unknownFields?: "refused" | undefined;
}

/** As much of a parser's words as is told: they repeat what they did not take. */
const TOLD_LENGTH = 200;

const DECOMPRESS = { gzip: gunzipSync, br: brotliDecompressSync };

/**
 * Reads a message within its bounds; unknown fields are not kept. Holds the thread for as long as it takes: a few
 * milliseconds for each MiB of text in JSON.
 *
 * @param anyTypes - What an `Any` in JSON may hold. Undefined: nothing.
 * @throws Refusal INVALID_ARGUMENT for what cannot be read; MessageTooLarge.
 */
export function decodeMessage(
  desc: DescMessage,
  received: ReceivedMessage,
  anyTypes?: Registry,
): Message {
  const bytes = decompressed(received);
  return received.isJson
    ? decodeJson(desc, bytes, received, anyTypes)
    : decodeBinary(desc, bytes, received.textBytes);
}

function decompressed({ bytes, encoding, maxBytes }: ReceivedMessage): Uint8Array {
  if (encoding === undefined || bytes.length === 0) return bytes;
  try {
    return owned(DECOMPRESS[encoding](bytes, { maxOutputLength: maxBytes }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") {
      throw new MessageTooLarge(maxBytes);
    }
    throw new Refusal("INVALID_ARGUMENT", `the message cannot be decompressed as ${encoding}`);
  }
}

/** In memory of their own, which can be given away with the message: Node cuts what is small from a pool of its. */
function owned(bytes: Buffer): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

function decodeBinary(desc: DescMessage, bytes: Uint8Array, textBytes: number): Message {
  scanBinary(desc, bytes, textBytes);
  try {
    return fromBinary(desc, bytes, { readUnknownFields: false });
  } catch (error) {
    throw undecodable(error);
  }
}

function decodeJson(
  desc: DescMessage,
  bytes: Uint8Array,
  { textBytes, unknownFields }: ReceivedMessage,
  registry: Registry | undefined,
): Message {
  const shape = jsonShapeOf(bytes, { elements: MAX_ELEMENTS, depth: MAX_DEPTH });
  if (shape.depth > MAX_DEPTH) throw tooDeep();
  if (shape.elements > MAX_ELEMENTS) throw tooManyElements();
  const ignoreUnknownFields = unknownFields !== "refused";
  const message = parseJson(desc, bytes, { ignoreUnknownFields, ...(registry && { registry }) });
  let text = 0;
  for (const { name, value } of partsOf(desc, message)) {
    if (typeof value !== "string") continue;
    text += Buffer.byteLength(value);
    if (text > textBytes) throw tooMuchText(name, textBytes);
  }
  return message;
}

function parseJson(
  desc: DescMessage,
  bytes: Uint8Array,
  options: Partial<JsonReadOptions>,
): Message {
  try {
    const json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return fromJsonString(desc, json, options);
  } catch (error) {
    throw undecodable(error);
  }
}

function undecodable(error: unknown): Refusal {
  const told = (error as Error).message.toWellFormed();
  const cut = told.length > TOLD_LENGTH ? `${told.slice(0, TOLD_LENGTH).toWellFormed()}…` : told;
  return new Refusal("INVALID_ARGUMENT", `the message cannot be read: ${cut}`);
}
