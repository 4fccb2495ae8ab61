import { MARK, replaced, type TextRange } from "./ranges.ts";

/** What finds secrets in a text. */
type Find = (text: string) => TextRange[];

const QUOTE = '"';
const NUMBER = /[-+.0-9eE]/;

/**
 * A text of JSON without its secrets, which is JSON still: strings and names are looked through as they are meant, and the
 * text as it is written too, where a name tells of what is behind it. What is not touched stays as it was written.
 */
export function redactedJson(json: string, find: Find): string {
  const ranges = find(json);
  const hiding = hidingStrings(json, find);
  if (ranges.length === 0 && hiding.size === 0) return json;
  let [result, done, next] = ["", 0, 0];
  for (const { start, end } of tokensOf(json)) {
    while (next < ranges.length && ranges[next]!.end <= start) next++;
    const within: TextRange[] = [];
    for (let i = next; i < ranges.length && ranges[i]!.start < end; i++) within.push(ranges[i]!);
    if (within.length === 0 && !hiding.has(start)) continue;
    const token = json.slice(start, end);
    const own = json[start] === QUOTE ? redactedByMeaning(token, find) : JSON.stringify(MARK);
    result += json.slice(done, start) + (own ?? redactedByPlace(token, start, within));
    done = end;
    // What begins in a string ends in it too: an address has no end but white space, and would go on into the next one.
    if (own !== undefined) next += within.filter((range) => range.start >= start).length;
  }
  return result + json.slice(done);
}

/** Where strings begin that hold secrets by what their escapes mean. All are looked through at once: there may be many. */
function hidingStrings(json: string, find: Find): Set<number> {
  const hiding = new Set<number>();
  if (!json.includes("\\")) return hiding;
  const [starts, texts]: [number[], string[]] = [[], []];
  for (const { start, end } of tokensOf(json)) {
    const token = json.slice(start, end);
    if (!token.includes("\\")) continue;
    starts.push(start);
    texts.push(meaningOf(token) ?? "");
  }
  let [index, begins] = [0, 0];
  for (const { start, end } of find(texts.join("\n"))) {
    for (; index < texts.length && begins < end; begins += texts[index++]!.length + 1) {
      const isWithin = begins + texts[index]!.length > start;
      if (isWithin) hiding.add(starts[index]!);
      // The next range may begin in the same one.
      if (begins + texts[index]!.length >= end) break;
    }
  }
  return hiding;
}

/** Where strings and numbers stand. In one pass, whatever the text: it may be no JSON. */
function* tokensOf(json: string): Generator<TextRange> {
  for (let at = 0; at < json.length; ) {
    const first = json[at]!;
    const isNumber = first === "-" || (first >= "0" && first <= "9");
    if (first !== QUOTE && !isNumber) {
      at++;
      continue;
    }
    let end = at + 1;
    if (isNumber) while (end < json.length && NUMBER.test(json[end]!)) end++;
    else {
      while (end < json.length && json[end] !== QUOTE) end += json[end] === "\\" ? 2 : 1;
      end = Math.min(end + 1, json.length);
    }
    yield { start: at, end };
    at = end;
  }
}

/** A string without what is a secret by itself. Undefined: there is nothing of that. */
function redactedByMeaning(token: string, find: Find): string | undefined {
  const text = meaningOf(token);
  if (text === undefined) return JSON.stringify(MARK);
  const ranges = find(text);
  return ranges.length === 0 ? undefined : JSON.stringify(replaced(text, ranges));
}

/**
 * A string without what is a secret for what stands before it. Where units have no places of their own all of it goes.
 *
 * @param within - What was found in the whole text.
 */
function redactedByPlace(token: string, at: number, within: readonly TextRange[]): string {
  const text = meaningOf(token);
  if (text === undefined || token.includes("\\")) return JSON.stringify(MARK);
  const begins = at + 1;
  const shifted = within.map(({ start, end }) => ({ start: start - begins, end: end - begins }));
  return JSON.stringify(replaced(text, shifted));
}

function meaningOf(token: string): string | undefined {
  try {
    return JSON.parse(token) as string;
  } catch {
    return undefined;
  }
}
