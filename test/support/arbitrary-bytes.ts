import fc from "fast-check";

/** Bytes that mean something to a reader of lines or of UTF-8: ends of lines, NUL, parts of characters, none of either. */
const TELLING_BYTES = [
  0x0a, 0x0a, 0x0d, 0x00, 0x20, 0x61, 0x7b, 0xc3, 0xa9, 0xe2, 0x80, 0xa8, 0xff,
];

const byte = fc.oneof(fc.constantFrom(...TELLING_BYTES), fc.integer({ min: 0, max: 255 }));

/** Any bytes, with many newlines and many broken characters among them. */
export function anyBytes(maxLength = 400): fc.Arbitrary<Uint8Array> {
  return fc.array(byte, { maxLength }).map((bytes) => Uint8Array.from(bytes));
}

/** The same bytes in any chunks: whole, byte by byte, with empty ones among them. */
export function anyChunks(maxLength = 400): fc.Arbitrary<Uint8Array[]> {
  const cuts = fc.oneof(
    fc.array(fc.nat(maxLength), { maxLength: 20 }),
    fc.constant(Array.from({ length: maxLength }, (_, index) => index)),
  );
  return fc.tuple(anyBytes(maxLength), cuts).map(([bytes, at]) => cutAt(bytes, at));
}

function cutAt(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = at.filter((place) => place <= bytes.length).sort((one, two) => one - two);
  const ends = [...places, bytes.length];
  return ends.map((end, index) => bytes.slice(index === 0 ? 0 : ends[index - 1], end));
}
