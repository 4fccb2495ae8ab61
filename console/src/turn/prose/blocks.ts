import { Lexer, Marked, type Token, type Tokens } from "marked";
import { visibleProse, visibleText } from "../../ui/visible-text.ts";

/** A block of prose: a paragraph, a list, a piece of code … */
export interface Block {
  /** Where it begins in its text. */
  readonly start: number;
  /** As it was written. */
  readonly raw: string;
}

/** A longer block is shown as it was written: what reads Markdown takes long for some texts. In UTF-16 units. */
const MAX_BLOCK = 16_384;
/** Deeper nested than anybody writes. */
const TOO_DEEP = /^[ \t]{0,3}(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*){24}/m;

/** The blocks of a text. Only their borders are looked for: what is in them is read when it is shown. */
export function blocksOf(text: string, start = 0): Block[] {
  if (TOO_DEEP.test(text)) return [{ start, raw: text }];
  const blocks: Block[] = [];
  let at = start;
  for (const { type, raw } of topLevel(text)) {
    if (type !== "space") blocks.push({ start: at, raw });
    at += raw.length;
  }
  return blocks;
}

/**
 * The blocks of a text that is being written: of what was there before only the last is read again.
 */
export class GrowingBlocks {
  #text = "";
  #blocks: readonly Block[] = [];

  /** Takes the text so far. */
  take(text: string): readonly Block[] {
    if (text === this.#text) return this.#blocks;
    const last = this.#blocks.at(-1);
    const isGrown = last !== undefined && text.startsWith(this.#text);
    this.#text = text;
    const from = isGrown ? last.start : 0;
    const kept = isGrown ? this.#blocks.slice(0, -1) : [];
    this.#blocks = [...kept, ...blocksOf(text.slice(from), from)];
    return this.#blocks;
  }
}

/**
 * A block as HTML, to be sanitized. It has no markup but what Markdown makes: markup in the text is text. Undefined: it is to be shown as it
 * was written.
 */
export function htmlOf({ raw }: Block): string | undefined {
  if (raw.length > MAX_BLOCK || TOO_DEEP.test(raw)) return undefined;
  try {
    return MARKED.parse(visibleProse(raw.replaceAll("\r\n", "\n")), { async: false });
  } catch {
    return undefined;
  }
}

function topLevel(text: string): Token[] {
  try {
    // The lexer's own `lex` goes on to read what is in the blocks.
    return new Lexer({ gfm: true }).blockTokens(text, []);
  } catch {
    return [{ type: "paragraph", raw: text } as Token];
  }
}

const MARKED = new Marked({
  gfm: true,
  renderer: {
    html: ({ text, block }: Tokens.HTML | Tokens.Tag) =>
      block ? `<p>${escaped(text)}</p>` : escaped(text),
    def: ({ raw }: Tokens.Def) => `<p>${escaped(raw)}</p>`,
    code: ({ text }) => `<pre><code>${escaped(visibleText(text))}</code></pre>`,
    codespan: ({ text }) => `<code>${escaped(visibleText(text))}</code>`,
    image: ({ href, text }) => `<cite>${escaped(text)} ${escaped(href)}</cite>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
    heading({ tokens, depth }) {
      const tag = `h${Math.min(6, depth + 1)}`;
      return `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`;
    },
    link({ href, tokens, text }) {
      const inner = this.parser.parseInline(tokens);
      const url = linked(href);
      // What leads nowhere is shown with what it said of where.
      if (url === undefined) return text === href ? inner : `${inner} (${escaped(href)})`;
      const leads = leadsTo(url, text);
      const target = `href="${escaped(url.href)}" target="_blank" rel="noopener noreferrer"`;
      return `<a ${target}>${inner}</a>${leads && ` <small>(${escaped(leads)})</small>`}`;
    },
  },
});

/** Undefined: nothing that the page links to. */
function linked(href: string): URL | undefined {
  const url = URL.parse(href);
  return url !== null && ["http:", "https:", "mailto:"].includes(url.protocol) ? url : undefined;
}

/** What a link does not say of where it leads. */
function leadsTo(url: URL, text: string): string {
  const isSaid = URL.parse(text)?.href === url.href || `mailto:${text}` === url.href;
  if (isSaid) return "";
  return url.protocol === "mailto:" ? url.pathname : url.host;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
