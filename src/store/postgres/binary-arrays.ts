/** The types of elements, by their numbers in PostgreSQL's catalog, which never change. */
const UUID = 2950;
const INT4 = 23;
const BYTEA = 17;
const UUID_BYTES = 16;
const INT_BYTES = 4;
/** One dimension, no nulls, the type of the elements, how many there are, and the number of the first. */
const HEADER_BYTES = 5 * INT_BYTES;

/** An array in PostgreSQL's binary form: pg would send each of the bytes as two digits. */
export function byteaArray(values: readonly Uint8Array[]): Buffer {
  const bytes = values.reduce((sum, value) => sum + value.length, 0);
  const array = arrayOf(BYTEA, values.length, bytes);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(value.length, at);
    array.set(value, at);
    at += value.length;
  }
  return array;
}

export function uuidArray(values: readonly string[]): Buffer {
  const array = arrayOf(UUID, values.length, values.length * UUID_BYTES);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(UUID_BYTES, at);
    at += array.write(value.replaceAll("-", ""), at, "hex");
  }
  return array;
}

export function intArray(values: readonly number[]): Buffer {
  const array = arrayOf(INT4, values.length, values.length * INT_BYTES);
  let at = HEADER_BYTES;
  for (const value of values) {
    at = array.writeInt32BE(INT_BYTES, at);
    at = array.writeInt32BE(value, at);
  }
  return array;
}

function arrayOf(type: number, length: number, bytes: number): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + length * INT_BYTES + bytes);
  let at = array.writeInt32BE(1, 0);
  at = array.writeInt32BE(0, at);
  at = array.writeInt32BE(type, at);
  at = array.writeInt32BE(length, at);
  array.writeInt32BE(1, at);
  return array;
}
