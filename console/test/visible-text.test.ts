import { describe, expect, it } from "vitest";
import { visibleParts, visibleProse, visibleText } from "../src/ui/visible-text.ts";

describe("visible text", () => {
  it("leaves what everybody can see", () => {
    const text = 'cat <<EOF > a\n\tgrüße, 日本語, שלום, 🙂 "x"\nEOF';
    expect(visibleText(text)).toBe(text);
  });

  it.each([
    ["\u001b[2K", "␛[2K"],
    ["a\rb", "a␍b"],
    ["a\u0000\u007f\u0085", "a␀␡⟨U+0085⟩"],
    ["\u202Egnp.exe", "⟨U+202E⟩gnp.exe"],
    ["rm\u00a0-rf", "rm⟨U+00A0⟩-rf"],
    ["a\u200bb\u2060c\ufeffd\u00ade", "a⟨U+200B⟩b⟨U+2060⟩c⟨U+FEFF⟩d⟨U+00AD⟩e"],
    ["\u{e0041}\ufe0f\u{e0100}", "⟨U+E0041⟩⟨U+FE0F⟩⟨U+E0100⟩"],
    ["\u3164\u115f\u2800", "⟨U+3164⟩⟨U+115F⟩⟨U+2800⟩"],
    ["\u2028\u2066", "⟨U+2028⟩⟨U+2066⟩"],
    ["\ud83d", "⟨U+D83D⟩"],
    ["s\u20dd\u0489", "s⟨U+20DD⟩⟨U+0489⟩"],
    ["e\u0301\u0302\u0303\u0304\u0305", "e\u0301\u0302\u0303⟨U+0304⟩⟨U+0305⟩"],
  ])("shows each character that nobody could see: %j", (text, shown) => {
    expect(visibleText(text)).toBe(shown);
    expect(
      visibleParts(text)
        .map((part) => part.text)
        .join(""),
    ).toBe(shown);
  });

  it("tells its signs from what looks like them", () => {
    expect(visibleParts("⟨U+202E⟩\u202e")).toEqual([
      { text: "⟨U+202E⟩", isSign: false },
      { text: "⟨U+202E⟩", isSign: true },
    ]);
  });

  it("is some parts and no more, however many signs there are", () => {
    const parts = visibleParts("\u200ba".repeat(60_000));
    expect(parts.length).toBeLessThan(2000);
    expect(parts.map(({ text }) => text).join("")).toBe("⟨U+200B⟩a".repeat(60_000));
    expect(parts.at(-1)?.isSign).toBe(true);
  });

  it("leaves prose its joiners, and not what turns it around", () => {
    expect(visibleProse("👩\u200d🚒 a\u00a0b \u202ec")).toBe("👩\u200d🚒 a\u00a0b ⟨U+202E⟩c");
  });
});
