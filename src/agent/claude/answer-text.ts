import { MAX_ENTRIES } from "./malformed.ts";
import { type AnswerPart, answerPart } from "./messages.ts";

/** Parts are looked for so deep: a result has a resource, that has a text. */
const MAX_DEPTH = 4;

/**
 * A tool's answer as one text: what is text in it, in whatever it is wrapped, and in place of the rest its kind, with the type
 * and the size of what is data.
 */
export function answerText(content: unknown): string {
  if (content === undefined) return "";
  if (typeof content === "string") return content;
  return Array.isArray(content) ? textOfList(content, 0) : jsonOf(content);
}

function textOfList(parts: readonly unknown[], depth: number): string {
  const texts = parts.slice(0, MAX_ENTRIES).map((part) => partText(part, depth));
  if (parts.length > MAX_ENTRIES) texts.push(`[${parts.length - MAX_ENTRIES} more parts]`);
  return texts.join("\n");
}

function partText(part: unknown, depth: number): string {
  if (typeof part === "string") return part;
  const { data } = answerPart.safeParse(part);
  if (data === undefined || (depth === 0 && !data.type)) return "[unknown]";
  return (
    (data.type === "text" ? (data.text ?? "") : data.text) ??
    dataText(data, data.type) ??
    wrappedText(data, depth) ??
    named(data)
  );
}

/** What others are wrapped in: a document, a search result, a resource. */
function wrappedText(part: AnswerPart, depth: number): string | undefined {
  if (depth >= MAX_DEPTH) return undefined;
  for (const inner of [part.source, part.resource, part.content]) {
    const text = innerText(inner, part.type, depth + 1);
    if (text === undefined) continue;
    const title = part.title || part.url || part.uri;
    return title ? `${title}\n${text}` : text;
  }
  return undefined;
}

/** Undefined where there is nothing: a search result's `source` is where it is from. */
function innerText(
  inner: unknown,
  kind: string | null | undefined,
  depth: number,
): string | undefined {
  if (Array.isArray(inner)) return textOfList(inner, depth);
  if (typeof inner === "string") return kind === "search_result" ? undefined : inner;
  const { data } = answerPart.safeParse(inner);
  if (data === undefined) return undefined;
  if (data.type === "text") return data.data ?? data.text ?? "";
  const text = data.text ?? dataText(data, kind) ?? wrappedText(data, depth);
  // An image whose data is elsewhere is named by its type all the same.
  return text ?? (data.media_type ? `[${kind} ${data.media_type}]` : undefined);
}

/** Undefined where it has no data, in base64. */
function dataText(part: AnswerPart, kind: string | null | undefined): string | undefined {
  const data = part.data ?? part.blob;
  if (data === undefined || data === null) return undefined;
  const type = part.media_type ?? part.mimeType;
  const bytes = Math.floor((data.replace(/=+$/, "").length * 3) / 4);
  const name = part.uri ? ` ${part.uri}` : "";
  return `[${kind ?? "data"}${type ? ` ${type}` : ""}, ${bytes} bytes]${name}`;
}

function named(part: AnswerPart): string {
  const name = part.tool_name ?? part.title ?? part.name ?? part.uri ?? part.url;
  const kind = part.type ?? "unknown";
  return name ? `[${kind} ${name}]` : `[${kind}]`;
}

/** Nested too deep for the serializer it is nothing but named. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "[unknown]";
  }
}
