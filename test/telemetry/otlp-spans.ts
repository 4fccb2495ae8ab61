import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span as a collector reads it. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: it has none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** 0: unset; 2: an error. */
  readonly status: number;
}

interface JsonValue {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}

interface JsonSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: JsonValue }[];
  readonly status: { readonly code?: number };
}

interface JsonRequest {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly JsonSpan[] }[];
  }[];
}

/** Reads an `ExportTraceServiceRequest` in JSON. */
export function spansOfJson(body: Buffer): Span[] {
  const { resourceSpans } = JSON.parse(body.toString()) as JsonRequest;
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans)
    .map((span) => ({
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId ?? "",
      name: span.name,
      kind: span.kind,
      startMs: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
      endMs: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
      attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, jsonOf(value)])),
      status: span.status.code ?? 0,
    }));
}

function jsonOf({ stringValue, intValue, doubleValue, boolValue }: JsonValue): unknown {
  return (
    stringValue ??
    (intValue === undefined ? undefined : Number(intValue)) ??
    doubleValue ??
    boolValue
  );
}

/** A field of a message: its bytes, or its number. */
type Fields = ReadonlyMap<number, readonly (Uint8Array | number)[]>;

/** Reads an `ExportTraceServiceRequest` by the numbers of its fields in opentelemetry-proto. */
export function spansOfProtobuf(body: Buffer): Span[] {
  return messages(fieldsOf(body), 1)
    .flatMap((resourceSpans) => messages(resourceSpans, 2))
    .flatMap((scopeSpans) => messages(scopeSpans, 2))
    .map((span) => ({
      traceId: hex(span, 1),
      spanId: hex(span, 2),
      parentSpanId: hex(span, 4),
      name: textOf(span, 5),
      kind: numberOf(span, 6),
      startMs: Math.floor(numberOf(span, 7) / 1e6),
      endMs: Math.floor(numberOf(span, 8) / 1e6),
      attributes: Object.fromEntries(
        messages(span, 9).map((pair) => [textOf(pair, 1), anyValueOf(messages(pair, 2)[0]!)]),
      ),
      status: numberOf(messages(span, 15)[0] ?? new Map(), 3),
    }));
}

function fieldsOf(bytes: Uint8Array): Fields {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | number)[]>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const values = fields.get(field) ?? [];
    fields.set(field, values);
    values.push(readValue(reader, type));
  }
  return fields;
}

function readValue(reader: BinaryReader, type: WireType): Uint8Array | number {
  if (type === WireType.LengthDelimited) return reader.bytes();
  if (type === WireType.Varint) return Number(reader.int64());
  if (type === WireType.Bit64) return Number(reader.fixed64());
  return reader.fixed32();
}

function messages(fields: Fields, field: number): Fields[] {
  return (fields.get(field) ?? []).map((value) => fieldsOf(value as Uint8Array));
}

function bytesOf(fields: Fields, field: number): Uint8Array {
  return (fields.get(field)?.[0] as Uint8Array | undefined) ?? new Uint8Array();
}

function numberOf(fields: Fields, field: number): number {
  return (fields.get(field)?.[0] as number | undefined) ?? 0;
}

function hex(fields: Fields, field: number): string {
  return Buffer.from(bytesOf(fields, field)).toString("hex");
}

function textOf(fields: Fields, field: number): string {
  return Buffer.from(bytesOf(fields, field)).toString();
}

/** An `AnyValue`: of a double the bits were read as a number. */
function anyValueOf(value: Fields): unknown {
  if (value.has(1)) return textOf(value, 1);
  if (value.has(2)) return numberOf(value, 2) === 1;
  return value.has(3) ? numberOf(value, 3) : "a double";
}
