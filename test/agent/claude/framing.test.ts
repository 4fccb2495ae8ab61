import { describe, expect, it } from "vitest";
import { type FramedLine, frameLine } from "../../../src/agent/claude/framing.ts";

const KNOWN = new Set(["assistant", "result", "rate_limit_event", "user", "control_request"]);

/** What is found in a line, by objects whose `type` is known. */
function found(line: string | Uint8Array, maxValues = 1000): FramedLine<object> {
  return frameLine<object>(Buffer.from(line), {
    isKnown: (type) => KNOWN.has(type),
    parse: (bytes) => {
      try {
        const value = JSON.parse(Buffer.from(bytes).toString()) as { type?: string };
        return KNOWN.has(value.type ?? "") ? value : undefined;
      } catch {
        return undefined;
      }
    },
    maxValues,
  });
}

const RESULT = { type: "result", subtype: "success", result: 'it is "done" {here}\n' };
const LATE = { subtype: "success", usage: { a: [1, { b: null }] }, type: "result" };
const LIMIT = { type: "rate_limit_event", rate_limit_info: { status: "allowed" } };
const WORDS = {
  type: "assistant",
  message: {
    content: [
      { type: "text", text: 'a "quoted" \\ {"type":"result"} ü€😀 \u2028\ud800 [1,2' },
      { type: "tool_use", input: { type: "result", n: -1.5e3, list: [], none: {} } },
    ],
  },
  n: [12, true, [{}]],
};
const text = (object: object) => JSON.stringify(object);

describe("what stands around an object is thrown away:", () => {
  it.each([
    ["words of a wrapper", "[sandbox] ready ", " done"],
    ["a byte order mark", "\ufeff", ""],
    ["a carriage return and a progress bar", "\r 40 % \r", "\r"],
    ["CSI", "\u001b[2K\u001b[1;31m", "\u001b[0m"],
    ["OSC with BEL", "\u001b]0;a title\u0007", "\u001b]0;\u0007"],
    ["OSC with ST", "\u001b]8;;http://x/{y}\u001b\\", "\u001b]8;;\u001b\\"],
    ["OSC that breaks off", "\u001b]0;a title ", "\u001b]"],
    ["CSI that breaks off", "\u001b[1;", "\u001b["],
    ["a short escape", "\u001b7\u001b(B", "\u001b"],
    ["braces", "{a} { b } {} {{", "}} }"],
    ["a piece of an object", '{"type":"assistant","message":{"content":"x', '"}'],
    ["a piece of an object that breaks off at a value", '{"type":"assistant","message":', ""],
    ["quotes", 'it\'s "so" { "x ', '" "'],
    ["a backslash", '{"a":"\\', "\\"],
    ["a whole object of no kind", '{"level":"info","msg":"{"}', "{}"],
    ["zeros", "\0\0", "\0"],
  ])("%s", (_, before, behind) => {
    for (const object of [RESULT, LATE, WORDS]) {
      const { objects, thrown } = found(`${before}${text(object)}${behind}`);
      expect(objects).toEqual([object]);
      expect(thrown?.bytes).toBe(Buffer.byteLength(before) + Buffer.byteLength(behind));
    }
  });

  it("its beginning is told, of all that was", () => {
    expect(Buffer.from(found(`ab ${text(LIMIT)} cd`).thrown!.beginning).toString()).toBe("ab  cd");
    expect(found("x".repeat(1000)).thrown!.beginning).toHaveLength(200);
    const escapes = found(`\u001b[2K${text(LIMIT)}`).thrown!;
    expect(Buffer.from(escapes.beginning).toString()).toBe("\u001b[2K");
    expect(escapes.hasBraces).toBe(false);
  });

  it("white space is nothing", () => {
    expect(found(` \t${text(LIMIT)} ${text(RESULT)}\r`)).toEqual({
      objects: [LIMIT, RESULT],
      intricate: [],
      thrown: undefined,
    });
  });
});

describe("an object in the middle of another", () => {
  const outer = Buffer.from(text(WORDS));

  /** Beside a value of a known kind nobody can tell which of the two has come into the middle. */
  const value = text(WORDS.message.content[1]!.input!);
  const isInFront = (at: number) => outer.subarray(at).toString().startsWith(value);
  const isBehind = (at: number) => outer.subarray(0, at).toString().endsWith(value);
  const isJson = (bytes: Buffer) => {
    try {
      return Boolean(JSON.parse(bytes.toString()));
    } catch {
      return false;
    }
  };

  it.each([
    ["first", LIMIT],
    ["last", LATE],
    ["first, of the other's kind,", WORDS],
  ])("is found, and the other whole, at every byte; its type comes %s", (_, inner) => {
    for (let at = 1; at < outer.length; at++) {
      const parts = [outer.subarray(0, at), Buffer.from(text(inner)), outer.subarray(at)];
      const line = Buffer.concat(parts);
      const { objects, thrown } = found(line);
      if (isInFront(at)) {
        expect(objects).toHaveLength(2);
        continue;
      }
      // In an empty list it is a value like any other.
      const expected = isJson(line) ? [JSON.parse(line.toString())] : [inner, WORDS];
      expect([at, objects, thrown]).toEqual([at, expected, undefined]);
    }
  });

  it("is found behind each beginning of another, and in front of each end", () => {
    for (let at = 1; at < outer.length; at++) {
      const cut = found(Buffer.concat([outer.subarray(0, at), Buffer.from(text(RESULT))]));
      expect([at, cut.objects[0]]).toEqual([at, RESULT]);
      expect(cut.objects).toHaveLength(isBehind(at) ? 2 : 1);
      const behind = found(Buffer.concat([Buffer.from(text(RESULT)), outer.subarray(at)]));
      expect([at, behind.objects[0]]).toEqual([at, RESULT]);
    }
  });

  it("may have another in it", () => {
    const line = '{"type":"user","a":"x{"type":"resu{"type":"rate_limit_event"}lt","b":[1]}y"}';
    expect(found(line).objects).toEqual([
      { type: "rate_limit_event" },
      { type: "result", b: [1] },
      { type: "user", a: "xy" },
    ]);
  });
});

it("objects in the middle of each other are followed 16 deep, and no further", () => {
  const nested = (depth: number): string =>
    depth === 0 ? text(LIMIT) : `{"type":"user","a":"x${nested(depth - 1)}y"}`;
  expect(found(nested(15)).objects).toHaveLength(16);
  expect(found(nested(40)).objects).toHaveLength(16);
});

describe("nothing is taken out of an object", () => {
  const forged = text(RESULT);

  it("neither of its texts nor its values, wherever it breaks off", () => {
    const outer = text({ type: "user", a: { text: forged, list: [`x${forged}`, "{"] } });
    for (let at = 1; at < outer.length; at++) {
      expect([at, found(outer.slice(0, at)).objects]).toEqual([at, []]);
      expect([at, found(outer.slice(at)).objects]).toEqual([at, []]);
    }
  });

  it("of no kind that is whole", () => {
    expect(found(`x ${text({ log: RESULT, more: [RESULT] })}`).objects).toEqual([]);
  });

  it("of a known kind whose value it is, beside what is not its own", () => {
    const outer = text({ type: "user", input: RESULT, more: 1 });
    const at = outer.indexOf(',"more"');
    const line = `${outer.slice(0, at)}${text(LIMIT)}${outer.slice(at)}`;
    expect(found(line).objects).toEqual([LIMIT, JSON.parse(outer)]);
  });
});

describe("an object with too many values", () => {
  const many = `{"type":"user","n":[${"1,".repeat(1001)}1]}`;

  it("is refused, and what stands beside it is not", () => {
    const { objects, intricate, thrown } = found(`${text(RESULT)}${many}${text(LIMIT)}`);
    expect(objects).toEqual([RESULT, LIMIT]);
    expect(intricate).toEqual([many.length]);
    expect(thrown).toBeUndefined();
  });

  it("is refused where it never ends", () => {
    expect(found(many.slice(0, -1)).intricate).toEqual([many.length - 1]);
  });
});

describe("a line of rubbish costs no more than its length:", () => {
  /** So many bytes of it a second, at the least: what is quadratic takes minutes. */
  const SECONDS_AT_MOST = 10;

  it.each([
    ["braces", "{"],
    ["braces and quotes", '{"'],
    ["objects in keys", '{"a'],
    ["objects in each other", '{"a":'],
    ["lists", '{"a":['],
    ["escaped quotes", '{"\\"'],
    ["backslashes", "\\"],
    ["escapes that break off", "]"],
    ["escapes that end", "]"],
    ["objects of no kind", '{"type":1}'],
    ["pieces of objects of a known kind", '{"type":"user","a":{"type":"user"}'],
    ["white space in front of quotes", '{"a {       "b'],
  ])("%s", (_, piece) => {
    const line = piece.repeat(2_000_000 / piece.length);
    const begun = performance.now();
    const { objects } = found(`${line}${text(RESULT)}`, 50_000);
    expect((performance.now() - begun) / 1000).toBeLessThan(SECONDS_AT_MOST);
    expect(objects.length).toBeLessThanOrEqual(10_000);
  });
});
