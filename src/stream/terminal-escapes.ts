const ESCAPE = 0x1b;
const BELL = 0x07;
const OPENING_BRACE = 0x7b;
const BACKSLASH = 0x5c;
/** What begins a string of a terminal's, beside `]`: device control, start of string, privacy message, application. */
const STRING_OPENERS = new Set([..."]PX^_"].map((character) => character.charCodeAt(0)));
const CSI_OPENER = "[".charCodeAt(0);

/** What is left of some bytes, and what was taken out of them. */
export interface WithoutEscapes {
  readonly bytes: Uint8Array;
  /** The beginning of what was taken out, at most as many bytes as were asked for. */
  readonly escapes: Uint8Array;
}

/**
 * Takes a terminal's escape sequences out (ECMA-48: CSI, OSC and the other strings with BEL or ST, and those of a few bytes).
 * One that breaks off takes nothing with it but its own opener, and none ends with an opening brace. JSON has no raw escape
 * character, so that no JSON value is changed.
 *
 * @param keep - So many bytes of what was taken out are told, at most.
 */
export function withoutEscapes(bytes: Uint8Array, keep: number): WithoutEscapes {
  const escapes = new Uint8Array(keep);
  let told = 0;
  let kept: Uint8Array = bytes.subarray(0, 0);
  let hasCopy = false;
  for (let from = 0; from < bytes.length; ) {
    const begin = bytes.indexOf(ESCAPE, from);
    const piece = bytes.subarray(from, begin === -1 ? bytes.length : begin);
    if (kept.length === 0) kept = piece;
    else if (piece.length > 0) {
      // What has no escapes but around it is not copied: it may have megabytes.
      kept = hasCopy ? kept : copyWithRoom(kept, bytes.length);
      hasCopy = true;
      kept = append(kept, piece);
    }
    if (begin === -1) break;
    from = endOfEscape(bytes, begin);
    const sequence = bytes.subarray(begin, Math.min(from, begin + keep - told));
    escapes.set(sequence, told);
    told += sequence.length;
  }
  return { bytes: kept, escapes: escapes.subarray(0, told) };
}

/** In memory of its own that has so many bytes. */
function copyWithRoom(bytes: Uint8Array, size: number): Uint8Array {
  const memory = Buffer.allocUnsafeSlow(size);
  memory.set(bytes);
  return memory.subarray(0, bytes.length);
}

/** Both behind each other, in the memory of the first, which has room. */
function append(bytes: Uint8Array, more: Uint8Array): Uint8Array {
  const both = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length + more.length);
  both.set(more, bytes.length);
  return both;
}

/** Where what follows an escape sequence begins. */
function endOfEscape(bytes: Uint8Array, start: number): number {
  const opener = bytes[start + 1];
  if (opener === undefined) return start + 1;
  if (opener === CSI_OPENER) return endOfShort(bytes, start + 2, 0x20, 0x3f);
  if (STRING_OPENERS.has(opener)) return endOfString(bytes, start + 2) ?? start + 2;
  return endOfShort(bytes, start + 1, 0x20, 0x2f);
}

/** Behind the bytes from `low` to `high`, and the one that ends them where there is one. */
function endOfShort(bytes: Uint8Array, start: number, low: number, high: number): number {
  let i = start;
  while (i < bytes.length && bytes[i]! >= low && bytes[i]! <= high) i++;
  const last = bytes[i];
  // 0x7b would be a private one, which nobody is known to use: it begins an object.
  const isEnd = last !== undefined && last >= 0x30 && last <= 0x7e && last !== OPENING_BRACE;
  return isEnd ? i + 1 : i;
}

/** Undefined where it breaks off: no other escape sequence, nor a control character, is a part of it. */
function endOfString(bytes: Uint8Array, start: number): number | undefined {
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === BELL) return i + 1;
    if (byte === ESCAPE) return bytes[i + 1] === BACKSLASH ? i + 2 : undefined;
    if (byte < 0x20) return undefined;
  }
  return undefined;
}
