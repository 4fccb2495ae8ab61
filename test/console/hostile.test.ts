import type { Page } from "playwright-core";
import { describe, expect, it } from "vitest";
import { lacksBrowser, withoutBrowser } from "../support/browser.ts";
import { stage } from "./console.ts";
import { logOn, readAllRows, startTurn } from "./turn-pages.ts";

/** Each would show that it did what it is to be kept from: it loads from `evil.test`, or sets `hit`. */
const ATTACKS = [
  "<script>globalThis.hit = 1</script>",
  "<img src=https://evil.test/a.png onerror='globalThis.hit = 2'>",
  "<svg onload='globalThis.hit = 3'><script>globalThis.hit = 4</script></svg>",
  "<svg><a xlink:href='javascript:globalThis.hit=5'><text>x</text></a></svg>",
  "<math><mtext><table><mglyph><style><img src=x onerror='globalThis.hit = 6'>",
  "<iframe srcdoc='<script>parent.hit = 7</script>'></iframe>",
  "<style>@import 'https://evil.test/b.css'; body { display: none }</style>",
  "<a href='javascript:globalThis.hit=8'>click</a>",
  "<form action=https://evil.test><button>go</button></form>",
  "<base href=https://evil.test><link rel=stylesheet href=https://evil.test/c.css>",
  "<meta http-equiv=refresh content='0;url=https://evil.test'>",
  "![image](https://evil.test/d.png)",
  "[click](javascript:globalThis.hit=9)",
  "[click](data:text/html,<script>globalThis.hit=10</script>)",
  "[click](vbscript:x) [click](\u0001javascript:globalThis.hit=11)",
  "[bank](https://evil.test/login)",
  '[a](https://evil.test/"onmouseover="globalThis.hit=12)',
  "`<img src=x onerror='globalThis.hit = 13'>`",
  "{@html '<img src=x onerror=globalThis.hit=14>'} {{constructor}}",
];
const ESCAPES =
  "\u001b]0;title\u0007\u001b[2J\u001b[1;31mred\u001b[0m\u001b[8mhidden\u0000\u0008\u009b31m";
const BIDI = "rm -rf /tmp/\u202etxt.exe\u202c \u2066x\u2069 a\u200bb\ufeff";

async function loadsOf(page: Page): Promise<string[]> {
  const loads = await page.evaluate(() =>
    performance.getEntriesByType("resource").map(({ name }) => name),
  );
  return loads.filter((url) => new URL(url).origin !== new URL(page.url()).origin);
}

describe.skipIf(lacksBrowser)(`what an agent writes in the console${withoutBrowser}`, () => {
  it("runs nothing, loads nothing, and is shown as what it is", async () => {
    const all = ATTACKS.join("\n\n");
    const steps = [
      ...ATTACKS.map((text) => ({ text })),
      { thinking: all },
      { pieces: ATTACKS.map((text) => `${text}\n\n`) },
      { tool: { name: "Bash", input: { command: all, description: ATTACKS[0] }, output: all } },
      {
        tool: {
          name: ATTACKS[1]!,
          input: { [ATTACKS[2]!]: ATTACKS[3] },
          output: all,
          is_error: true,
        },
      },
      {
        tool: {
          name: "Edit",
          input: { file_path: ATTACKS[4], old_string: all, new_string: ATTACKS[5] },
          output: ESCAPES,
        },
      },
      {
        tool: {
          name: "TodoWrite",
          input: { todos: [{ content: ATTACKS[6], status: ATTACKS[7] }] },
        },
      },
      { tool: { name: "Bash", input: { command: BIDI }, output: BIDI } },
      { result: { text: all, structured_output: { [ATTACKS[8]!]: ATTACKS[9] } } },
    ];
    await using running = await stage({ script: { turns: [{ steps: steps as never }] } });
    const requested: string[] = [];
    const person = await running.newPerson();
    person.on("request", (request) => void requested.push(request.url()));
    const turnId = await startTurn(running.fake, `${ATTACKS[1]} ${BIDI}`);
    const page = await running.open(`/turns/${turnId}`, person);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    // A link is one only where it leads to http; it says where, and opens elsewhere.
    const link = logOn(page).getByRole("link", { name: "bank" }).first();
    await link.waitFor();
    expect(await link.getAttribute("href")).toBe("https://evil.test/login");
    expect(await link.getAttribute("rel")).toBe("noopener noreferrer");
    expect(await link.getAttribute("target")).toBe("_blank");
    const seen = [...(await readAllRows(page)).values()].join("\n");
    expect(seen).toContain("bank (evil.test)");
    expect(
      await page.evaluate(
        () => document.querySelectorAll("img, svg, iframe, form[action], base, math").length,
      ),
    ).toBe(0);
    const hrefs = await page.evaluate(() => Array.from(document.links, ({ protocol }) => protocol));
    expect(new Set(hrefs)).toEqual(new Set(["http:", "https:"]));

    for (const text of ["<script>globalThis.hit = 1</script>", "<iframe srcdoc="]) {
      expect(seen).toContain(text);
    }
    expect(seen).toContain("␛]0;title␇␛[2J");
    expect(seen).toContain("hidden␀␈");
    expect(seen).toContain(
      "rm -rf /tmp/⟨U+202E⟩txt.exe⟨U+202C⟩ ⟨U+2066⟩x⟨U+2069⟩ a⟨U+200B⟩b⟨U+FEFF⟩",
    );
    expect(seen).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u001b]/);

    expect(await page.evaluate(() => (globalThis as { hit?: unknown }).hit)).toBeUndefined();
    expect(requested.filter((url) => !url.startsWith(running.fake.url))).toEqual([]);
    expect(await loadsOf(page)).toEqual([]);
    expect(running.complaints).toEqual([]);
  });

  it("keeps the page at work, however much it is", async () => {
    const steps = [
      { text: { size: "5MB" } },
      { tool: { name: "Bash", input: { command: "cat" }, output: { size: "5MB" } } },
      { text: "# ".repeat(20_000) },
      { text: "> ".repeat(20_000) },
      { tool: { name: "Deep", input: { a: nested(150) }, output: "\u001b[31m".repeat(50_000) } },
      {
        repeat: {
          times: 1000,
          steps: [{ tool: { name: "Bash", input: { command: "true" }, output: "" } }],
        },
      },
      { text: "The end." },
    ];
    await using running = await stage({ script: { turns: [{ steps: steps as never }] } });
    const page = await running.open(`/turns/${await startTurn(running.fake, "Flood.")}`);
    await page.getByRole("heading", { name: "Result" }).waitFor();
    await logOn(page).focus();
    await page.keyboard.press("Home");
    await page
      .getByText(/^Cut: all of it is/)
      .first()
      .waitFor();
    await page.getByRole("article", { name: "Bash cat: done" }).waitFor();
    await page
      .getByRole("button", { name: /^Show all .* lines$/ })
      .first()
      .click();
    await page.getByRole("button", { name: "Show less" }).waitFor();
    await page.keyboard.press("End");
    await logOn(page).focus();
    await page.keyboard.press("End");
    await page.getByText("The end.").first().waitFor();
    expect(running.complaints).toEqual([]);
  });
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let n = 0; n < depth; n++) value = n % 2 === 0 ? [value] : { a: value };
  return value;
}
