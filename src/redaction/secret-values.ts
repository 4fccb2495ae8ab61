/** A shorter value is replaced nowhere: it would be found in what has nothing to do with it. */
export const LEAST_VALUE = 8;
/** A longer value is looked for piece by piece. */
const PIECE = 2048;
/** A shorter part of an encoded value is too short to tell. */
const LEAST_FORM = 8;
/** What `base64` writes into a line. */
const BASE64_LINE = 76;

/**
 * The texts in which a value can occur: itself, in JSON's and URLs' escapes, in hexadecimal, and in base64 at any place of
 * what was encoded, also as lines.
 */
export function formsOf(value: string): string[] {
  const forms = new Set<string>();
  for (let at = 0; at < value.length; at += PIECE) {
    const piece = value.slice(at, at + PIECE);
    const bytes = Buffer.from(piece);
    const hex = bytes.toString("hex");
    const url = encodeURIComponent(piece.toWellFormed());
    const lowered = url.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());
    const plain = [piece, JSON.stringify(piece).slice(1, -1), url, lowered];
    plain.push(url.replaceAll("%20", "+"), hex, hex.toUpperCase(), ...base64Forms(bytes));
    for (const form of plain) if (form.length >= LEAST_FORM || form === value) forms.add(form);
  }
  return [...forms];
}

/** What stays the same of bytes in base64 whatever stands before and behind them. */
function base64Forms(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((before) => {
    const all = Buffer.concat([Buffer.alloc(before), bytes]);
    // Units that hold bits of what is not known: of before 0, 2 or 3; behind 0 or one.
    const known = Math.floor((all.length * 8) / 6);
    const encoded = all.toString("base64").slice(before === 0 ? 0 : before + 1, known);
    const lines = before === 0 && encoded.length > BASE64_LINE ? inLines(encoded) : [];
    return [encoded, ...lines].flatMap((form) => [
      form,
      form.replaceAll("+", "-").replaceAll("/", "_"),
    ]);
  });
}

function inLines(encoded: string): string[] {
  const lines: string[] = [];
  for (let at = 0; at < encoded.length; at += BASE64_LINE) {
    lines.push(encoded.slice(at, at + BASE64_LINE));
  }
  return lines;
}
