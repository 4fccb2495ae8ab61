const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** What JSON is made of. */
export interface JsonShape {
  /** Members of objects and items of lists, and one for each object and list itself. */
  readonly elements: number;
  /** How deep objects and lists stand in each other. */
  readonly depth: number;
}

/**
 * Counts what parsing would build, without building it; stops where it is past `most`. Of what is no JSON it counts at least
 * what a parser builds until it finds that out.
 */
export function jsonShapeOf(utf8: Uint8Array, most: JsonShape): JsonShape {
  let elements = 0;
  let open = 0;
  let depth = 0;
  for (let at = 0; at < utf8.length; at++) {
    const byte = utf8[at];
    if (byte === QUOTE) {
      at = endOfString(utf8, at);
    } else if (byte === COMMA) {
      elements++;
    } else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
      elements++;
      depth = Math.max(depth, ++open);
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
      open--;
    }
    if (elements > most.elements || depth > most.depth) break;
  }
  return { elements, depth };
}

function endOfString(utf8: Uint8Array, begin: number): number {
  let at = begin + 1;
  while (at < utf8.length && utf8[at] !== QUOTE) at += utf8[at] === BACKSLASH ? 2 : 1;
  return at;
}
