import fc from "fast-check";
import { expect, it } from "vitest";
import { ShownText } from "../../support/shown-text.ts";
import { append, assistant, INIT, translate, valuesOf } from "./lines.ts";
import { begin, close, open, piece } from "./partial-lines.ts";

/** A line, and what the block says that the model writes behind it; undefined: as before. */
interface Said {
  readonly line: string | object;
  readonly block?: string;
}

/** An attempt of the model at a message, as far as the CLI printed it. */
interface Attempt {
  readonly id: string;
  readonly blocks: readonly {
    readonly type: string;
    readonly pieces: readonly string[];
    readonly isTold: boolean;
  }[];
  /** So many of its lines are printed. */
  readonly cut: number;
  /** This one is not what it should be. */
  readonly broken: number;
}

const anyAttempt: fc.Arbitrary<Attempt> = fc.record({
  id: fc.constantFrom("msg_1", "msg_2"),
  blocks: fc.array(
    fc.record({
      type: fc.constantFrom("text", "text", "thinking", "tool_use"),
      pieces: fc.array(fc.string({ unit: "binary", maxLength: 4 }), { maxLength: 5 }),
      isTold: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  cut: fc.oneof(fc.constant(99), fc.nat(20)),
  broken: fc.oneof(fc.constant(99), fc.nat(20)),
});

/** No two blocks begin alike, so that a text that is joined from two is the beginning of none. */
function linesOf({ id, blocks, cut, broken }: Attempt, attempt: number): Said[] {
  const lines: Said[] = [{ line: begin(id) }];
  for (const [index, { type, pieces, isTold }] of blocks.entries()) {
    const name = `<${attempt}.${index}>`;
    const block = name + pieces.join("");
    lines.push({ line: open(index, type), block });
    lines.push(...[name, ...halved(pieces)].map((text) => ({ line: piece(index, text) })));
    if (type === "text" && isTold) {
      lines.push({ line: assistant([{ type, text: block }], {}, { id }) });
    }
    lines.push({ line: close(index) });
  }
  return lines
    .slice(0, cut)
    .map((said, index) => (index === broken && "block" in said === false ? LOST : said));
}

const LOST: Said = { line: "{" };

/** Cut at the middle of each, also where that is the middle of a character. */
function halved(pieces: readonly string[]): string[] {
  return pieces.flatMap((text) => {
    const middle = Math.ceil(text.length / 2);
    return [text.slice(0, middle), text.slice(middle)];
  });
}

it("a client never shows what is not the beginning of the block that is written, whatever breaks and is repeated", () => {
  let whole = 0;
  const property = fc.property(fc.array(anyAttempt, { maxLength: 5 }), (attempts) => {
    const { translation } = translate(INIT);
    const shown = new ShownText();
    let block = "";
    for (const said of attempts.flatMap(linesOf)) {
      block = said.block ?? block;
      const events = append(translation, said.line);
      for (const kind of events) shown.take(kind);
      expect(block.startsWith(shown.text)).toBe(true);
      if (block !== "" && shown.text === block) whole++;
      if (valuesOf(events, "text").length > 0) expect(shown.text).toBe("");
    }
    for (const kind of append(translation, { type: "result" })) shown.take(kind);
    expect(shown.text).toBe("");
  });
  fc.assert(property, { numRuns: 500 });
  expect(whole).toBeGreaterThan(100);
});
