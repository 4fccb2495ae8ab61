import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedaction, createValueRedaction, Redaction } from "../../src/redaction/redaction.ts";
import { TextStream } from "../../src/redaction/text-stream.ts";
import { knownValue, partIn, wellKnown } from "./secrets.ts";

const value = knownValue();
const spaced = `two words ${knownValue()} "quoted"\nand a line`;
const redaction = new Redaction({ values: [value, spaced, "short"] });
const samples = [
  ...wellKnown(),
  { kind: "a known value", before: "", secret: value },
  { kind: "a known value of several words", before: "", secret: spaced },
];
const words = fc
  .array(
    fc.constantFrom("the", "gateway", "port=80800;", "/etc/app.conf", "it’s", "☃", "{", "\n"),
    { maxLength: 12 },
  )
  .map((all) => all.map((word) => `${word} `).join(""));

describe.each(samples)("$kind", ({ before, secret }) => {
  it("is taken out of any text, and nothing else is", () => {
    fc.assert(
      fc.property(words, words, (first, last) => {
        const text = `${first}${before}${secret} ${last}`;
        expect(redaction.text(text)).toBe(`${first}${before}[redacted] ${last}`);
        expect(redaction.text(first + last)).toBe(first + last);
      }),
      { numRuns: 50 },
    );
  });

  it("is taken out of a text that is cut at any of its places", () => {
    const [first, last] = ["I see: ", " and so on, \n"];
    const text = `${first}${before}${secret}${last}`;
    // A key is long: at some of its places.
    const step = text.length > 500 ? 13 : 1;
    for (let cut = 1; cut < text.length; cut += step) {
      const stream = new TextStream(redaction.finder);
      const given =
        stream.push(text.slice(0, cut)) + stream.push(text.slice(cut)) + stream.push("end ");
      expect(given).toBe(`${first}${before}[redacted]${last}end `);
    }
  });

  it("is taken out of a text that comes in any pieces", () => {
    fc.assert(
      fc.property(
        words,
        words,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (first, last, sizes) => {
          const text = `${first}${before}${secret} ${last}`;
          const stream = new TextStream(redaction.finder);
          let given = "";
          for (let at = 0, n = 0; at < text.length; n++) {
            const size = sizes[n % sizes.length]!;
            given += stream.push(text.slice(at, at + size));
            at += size;
          }
          expect(given).toBe(`${first}${before}[redacted] ${last}`);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("is taken out of JSON, which stays JSON of the same shape", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), words, (other, text) => {
        const json = JSON.stringify({
          other,
          said: `${text}${before}${secret}`,
          n: 12345678901234567890n.toString(),
        });
        const safe = JSON.parse(redaction.json(json));
        expect(Object.keys(safe)).toEqual(["other", "said", "n"]);
        expect(safe.said).toBe(`${text}${before}[redacted]`);
        expect(safe.other).toEqual(JSON.parse(JSON.stringify(other)));
      }),
      { numRuns: 50 },
    );
  });
});

describe("a known value", () => {
  it("is found in base64 wherever it stands in what was encoded, in lines too, in URLs and in hexadecimal", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 40 }),
        (first, last) => {
          for (const encoding of ["base64", "base64url", "hex"] as const) {
            const encoded = Buffer.concat([first, Buffer.from(value), last]).toString(encoding);
            const kept = redaction.text(encoded);
            expect(kept).toContain("[redacted]");
            // But for what it shares with its neighbours.
            expect(encoded.length - kept.replace("[redacted]", "").length).toBeGreaterThan(
              value.length,
            );
          }
        },
      ),
    );
    const long = knownValue(200);
    const lined = Buffer.from(`${long}\n`).toString("base64").replace(/.{76}/g, "$&\n");
    expect(partIn(createRedaction({ values: [long] })(lined), lined.slice(0, 228))).toBeUndefined();
    expect(redaction.text(`/login?token=${encodeURIComponent(spaced)}&x=1`)).toBe(
      "/login?token=[redacted]&x=1",
    );
  });

  it("that is short is left alone", () => {
    expect(redaction.text("a short text")).toBe("a short text");
  });

  it("is taken out of names and texts of a value, and of numbers in JSON", () => {
    const pin = "1234567890123";
    const redact = createValueRedaction({ values: [value, pin] });
    expect(redact({ [value]: [`x ${value}`, 7, null, true] })).toEqual({
      "[redacted]": ["x [redacted]", 7, null, true],
    });
    const { json } = new Redaction({ values: [pin] });
    expect(json(`{"pin": ${pin}, "other": 1.50}`)).toBe(`{"pin": "[redacted]", "other": 1.50}`);
  });
});

describe("JSON", () => {
  it("without secrets stays as it was written, to the byte", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(redaction.json(json)).toBe(json);
      }),
    );
    const odd = '{ "a" : 1e400, "b": 9007199254740993, "c": "\\u0041\\/" }';
    expect(redaction.json(odd)).toBe(odd);
  });

  it("has no secret that its escapes hide, and none that a name tells of", () => {
    const { secret } = wellKnown()[0]!;
    const hidden = `{"a":"\\u0067${secret.slice(1)}"}`;
    expect(JSON.parse(redaction.json(hidden))).toEqual({ a: "[redacted]" });
    const { secret: key } = wellKnown().find(({ kind }) => kind === "AWS")!;
    const named = JSON.stringify({ aws_secret_access_key: key, region: "eu" });
    expect(JSON.parse(redaction.json(named))).toEqual({
      aws_secret_access_key: "[redacted]",
      region: "eu",
    });
  });
});

describe("hostile text", () => {
  const LONG = 256 * 1024;
  const long = (text: string) => text.repeat(Math.ceil(LONG / text.length));
  it.each([
    ...[
      "a",
      " ",
      "\n",
      "_ghs_1_",
      "SG.a.",
      "https://a:a",
      "postgres://a:b",
      "-----BEGIN ",
      "-----BEGIN RSA PRIVATE KEY-----\n",
    ],
    ...[
      "_authToken=",
      "aws_secret_access_key = ",
      "ops_eyJ",
      `xoxb-${"a-".repeat(500)}`,
      value.slice(0, -1),
      value,
      "\\",
      '"',
      '"\\',
    ],
    `SG.${"a".repeat(128)}.${"a".repeat(300)}`,
    `https://${"a".repeat(256)}:${"a".repeat(256)}@${"a.".repeat(128)}`,
    `${"_ghs_1_".repeat(140)}.${"_ghs_1_".repeat(1400)}`,
  ])("of %s is looked through, or given up, in time", (piece) => {
    const text = long(piece);
    expect(redaction.text(text).length).toBeLessThanOrEqual(10 * text.length);
    redaction.json(text);
    const stream = new TextStream(redaction.finder);
    for (let at = 0; at < text.length; at += 64 * 1024) stream.push(text.slice(at, at + 64 * 1024));
  });

  it("of which not all was looked through in time gives out nothing of the rest", () => {
    const rest = redaction.finder.find(`${long("word ")}${value}`);
    expect(rest).toHaveLength(1);
  });
});
