import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Refusal } from "../../src/errors.ts";
import { attachmentRules } from "../../src/rpc/attachment-rules.ts";
import { validate } from "../../src/rpc/request-rules.ts";

const MIB = 1024 * 1024;
const RULES = z.object({ attachments: attachmentRules(8 * MIB) });

const bytes = (latin1: string) => new Uint8Array(Buffer.from(latin1, "latin1"));

interface Sent {
  readonly name?: string;
  readonly mediaType?: string;
  readonly data?: Uint8Array;
}

const given = (sent: readonly Sent[]) => ({
  attachments: sent.map((one, index) => ({
    name: `file-${index}`,
    mediaType: "text/plain",
    data: bytes("x"),
    ...one,
  })),
});

function fieldsOf(...sent: readonly Sent[]): string[] {
  try {
    validate(RULES, given(sent));
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return (error.details.violations ?? []).map(({ field }) => field);
  }
}

describe("the rules of attachments", () => {
  it.each(["a", ".mcp.json", "Bericht – Übersicht (1).txt", "…", "-rf", "𝄞", "n".repeat(255)])(
    "take the name %j",
    (name) => expect(fieldsOf({ name })).toEqual([]),
  );

  it.each([
    ["", ".", "..", "a/b", "/etc/passwd", "..\\a", "a\0b", "a\nb", "a\x7f", "a\x85b"],
    ["a\u202eb", "a\u2066b", "a\u200fb", "a\u2028b", "a\ud800", "n".repeat(256), "ä".repeat(128)],
  ])("refuse names that are no plain name of a file", (...names) => {
    for (const name of names)
      expect([name, ...fieldsOf({ name })]).toContain("attachments[0].name");
  });

  it.each([
    ["the same", "a.txt", "a.txt"],
    ["other case", "A.TXT", "a.txt"],
    ["another form of a letter", "\u00e4", "a\u0308"],
    ["both", "\u00c4", "a\u0308"],
    ["two letters for one", "stra\u00dfe", "STRASSE"],
    ["a letter with two small forms", "\u03b1\u03c2", "\u03b1\u03c3"],
  ])("refuse two names that a file system may take for one: %s", (_how, one, other) => {
    expect(fieldsOf({ name: one }, { name: "between" }, { name: other })).toEqual([
      "attachments[2].name",
    ]);
  });

  it("take a media type in lower case and without parameters", () => {
    const sent = given([{ mediaType: "Application/VND.x+json" }]);
    expect(validate(RULES, sent).attachments[0]?.mediaType).toBe("application/vnd.x+json");
    for (const mediaType of [
      "",
      "text",
      "text/",
      "/x",
      "a/b/c",
      "text/plain; charset=utf-8",
      "ä/b",
    ])
      expect(fieldsOf({ mediaType })).toEqual(["attachments[0].media_type"]);
  });

  it("leave to the agent which images it takes", () => {
    for (const mediaType of ["image/png", "image/svg+xml", "image/bmp"])
      expect(fieldsOf({ mediaType, data: new Uint8Array(4 * MIB) })).toEqual([]);
  });

  it("bound how many there are and what they have together", () => {
    expect(fieldsOf(...Array.from({ length: 20 }, () => ({})))).toEqual([]);
    expect(fieldsOf(...Array.from({ length: 21 }, () => ({})))).toEqual(["attachments"]);
    const half = new Uint8Array(4 * MIB);
    expect(fieldsOf({ data: half }, { data: half })).toEqual([]);
    expect(fieldsOf({ data: half }, { data: half }, {})).toEqual(["attachments"]);
  });

  it("name every field that is wrong, at once", () => {
    const sent = [{ name: "a" }, { name: "a/b", mediaType: "x" }];
    expect(fieldsOf(...sent, { name: "A" })).toEqual([
      "attachments[1].name",
      "attachments[1].media_type",
      "attachments[2].name",
    ]);
  });
});
