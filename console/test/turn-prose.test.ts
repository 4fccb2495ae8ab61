import { describe, expect, it } from "vitest";
import { blocksOf, GrowingBlocks, htmlOf } from "../src/turn/prose/blocks.ts";

function html(text: string): string {
  return blocksOf(text)
    .map((block) => htmlOf(block)?.trim() ?? `AS WRITTEN ${block.raw.length}`)
    .join("");
}

describe("prose", () => {
  it("has no markup but that of Markdown", () => {
    expect(html("a <img src=x onerror=alert(1)> b")).toBe(
      "<p>a &lt;img src=x onerror=alert(1)&gt; b</p>",
    );
    expect(html("<script>alert(1)</script>")).toBe("<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>");
    expect(html("![look](https://evil.test/p.png)")).toBe(
      "<p><cite>look https://evil.test/p.png</cite></p>",
    );
  });

  it("shows where a link leads, and links nowhere else", () => {
    const rest = 'target="_blank" rel="noopener noreferrer"';
    expect(html("[bank](https://evil.test/x)")).toBe(
      `<p><a href="https://evil.test/x" ${rest}>bank</a> <small>(evil.test)</small></p>`,
    );
    expect(html("[https://bank.test](https://evil.test)")).toContain("<small>(evil.test)</small>");
    expect(html("<https://bank.test/>")).toBe(
      `<p><a href="https://bank.test/" ${rest}>https://bank.test/</a></p>`,
    );
    expect(html("[х](https://раураl.test)")).toContain("(xn--");
    for (const href of ["javascript:alert(1)", "data:text/html,x", "/sign-out", "//evil.test"]) {
      expect(html(`[x](${href})`)).toBe(`<p>x (${href})</p>`);
    }
  });

  it("shows in code what could not be seen, and nowhere lets text be turned around", () => {
    expect(html("`a\u200bb`")).toBe("<p><code>a⟨U+200B⟩b</code></p>");
    expect(html("a \u202eb")).toBe("<p>a ⟨U+202E⟩b</p>");
    expect(html("```\nrm\u00a0-rf\n```")).toBe("<pre><code>rm⟨U+00A0⟩-rf</code></pre>");
  });

  it("hides nothing: what defines a link's address is text", () => {
    expect(html("[1]: https://bank.test")).toBe("<p>[1]: https://bank.test</p>");
  });

  it("has the same blocks while it is written as when it is", () => {
    const text =
      "# A\n\nb *c*\nd\n\n- 1\n- 2\n\n  more\n\n```sh\na\n\nb\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nend";
    const growing = new GrowingBlocks();
    for (let end = 1; end <= text.length; end++) {
      const starts = growing.take(text.slice(0, end)).map(({ start }) => start);
      expect(starts).toEqual(blocksOf(text.slice(0, end)).map(({ start }) => start));
    }
    const kept = growing.take(text)[0];
    expect(growing.take(`${text} more`)[0]).toBe(kept);
    expect(growing.take("another")).toEqual([{ start: 0, raw: "another" }]);
  });

  it.each([
    "[".repeat(60_000),
    "*".repeat(60_000),
    "*a_ ".repeat(20_000),
    "`".repeat(60_000),
    "> ".repeat(30_000),
    "- ".repeat(30_000),
    "<a".repeat(30_000),
    "![](".repeat(16_000),
    "a@".repeat(30_000),
    "https://".repeat(8_000),
    "| ".repeat(30_000),
    "|a\n|-\n".repeat(9_000),
    "1. a\n".repeat(12_000),
    `${"a ".repeat(4000)}\n`.repeat(6),
    "\\".repeat(60_000),
    "&".repeat(60_000),
    "[a](".repeat(4000),
    "[a](".repeat(16_000),
    "~~".repeat(8000),
    " ".repeat(60_000),
    "<!--".repeat(16_000),
    "[a]: ".repeat(12_000),
  ])("takes its time for no text: %#", (text) => {
    const start = performance.now();
    html(text);
    html(text.slice(0, 16_000));
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
