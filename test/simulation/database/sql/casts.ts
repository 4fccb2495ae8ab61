/** Of elements in PostgreSQL's binary form of an array, by their numbers in its catalog. */
const UUID = 2950;
const INT4 = 23;
const HEADER_BYTES = 20;

/** A value as one of another type. */
export function castTo(type: string, value: unknown): unknown {
  if (value === null) return null;
  if (type.endsWith("[]")) return arrayOf(value);
  if (type === "int" || type === "bigint") return Math.round(Number(value));
  if (type === "double precision") return Number(value);
  if (type === "text") return String(value);
  return value;
}

/** The elements of an array, as a list or in the binary form in which it was sent. */
export function arrayOf(value: unknown): unknown[] {
  if (!Buffer.isBuffer(value)) return value as unknown[];
  const type = value.readInt32BE(8);
  const length = value.readInt32BE(12);
  const elements: unknown[] = [];
  let at = HEADER_BYTES;
  for (let index = 0; index < length; index++) {
    const bytes = value.readInt32BE(at);
    at += 4;
    elements.push(elementOf(type, value.subarray(at, at + bytes)));
    at += bytes;
  }
  return elements;
}

function elementOf(type: number, bytes: Buffer): unknown {
  if (type === INT4) return bytes.readInt32BE(0);
  if (type !== UUID) return bytes;
  const hex = bytes.toString("hex");
  const parts = [8, 12, 16, 20].map((end, index) => hex.slice([0, 8, 12, 16][index], end));
  return [...parts, hex.slice(20)].join("-");
}
