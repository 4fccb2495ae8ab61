import { describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";

/** The most that a line takes, in characters of ASCII. */
const LINE_LIMIT = 256 * 1024;

/** The lines that come of logging a value. */
function logged(fields: Record<string, unknown>, message = "something happened"): string[] {
  const lines: string[] = [];
  createLog((line) => void lines.push(line)).warn(message, fields);
  return lines;
}

function parsed(fields: Record<string, unknown>): Record<string, unknown> {
  const [line] = logged(fields);
  return JSON.parse(line!);
}

describe("what others wrote", () => {
  const points = [
    ...range(0x00, 0x1f),
    ...range(0x7f, 0x9f),
    ...[0x061c, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029],
    ...range(0x202a, 0x202e),
    ...range(0x2060, 0x2064),
    ...range(0x2066, 0x2069),
    ...[0xfeff, 0xd800, 0xdfff],
    ...range(0xe0000, 0xe007f),
  ];

  it("is in the log's line without any character that acts or hides, and means the same", () => {
    const text = points.map((point) => `a${String.fromCodePoint(point)}b`).join("");
    const [line] = logged({ [text]: text }, text);
    for (const point of points.filter((point) => point !== 0x0a)) {
      expect(line).not.toContain(String.fromCodePoint(point));
    }
    expect(line!.indexOf("\n")).toBe(line!.length - 1);
    expect(JSON.parse(line!)).toMatchObject({ message: text, [text]: text });
  });

  it("is one bounded line, however long it is", () => {
    const huge = "\u0085".repeat(10_000_000);
    const error = new Error(huge, { cause: new Error(huge) });
    for (const fields of [{ huge }, { error }, { [huge]: 1 }]) {
      const lines = logged(fields, huge);
      expect(lines).toHaveLength(1);
      expect(lines[0]!.length).toBeLessThan(LINE_LIMIT);
      expect(lines[0]).toMatch(/\[10000\d{3} characters\]/);
    }
  });

  it("keeps the frames of an error whose message is long", () => {
    const { error } = parsed({ error: new RangeError("x".repeat(1_000_000)) });
    expect(error).toMatchObject({ stack: expect.stringMatching(/^RangeError: x+…\n {4}at .*log/) });
  });

  it.each<[string, unknown]>([
    ["deep", nested(100_000)],
    ["wide", Array(1_000_000).fill(1.7976931348623157e308)],
    ["wide with names", Object.fromEntries(range(0, 100_000).map((n) => [`n${n}`, Math.PI]))],
    ["bushy", bushy(2)],
    ["full of numbers", lists(3)],
    ["bytes", Buffer.alloc(1_000_000)],
  ])("is one bounded line, however %s it is", (_what, value) => {
    const lines = logged({ value });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.length).toBeLessThan(LINE_LIMIT);
    expect(JSON.parse(lines[0]!).value).toBeDefined();
  });
});

describe("logging never throws", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const circle: Record<string, unknown> = { name: "circle" };
  circle.self = circle;
  const error = new Error("outer");
  error.cause = error;
  it.each<[string, unknown, unknown]>([
    ["a circle", circle, { name: "circle", self: "[circular]" }],
    ["an error that caused itself", error, { cause: "[circular]" }],
    ["a toJSON that throws", { toJSON: fail }, "[unreadable]"],
    ["a toJSON that answers itself", Object.assign(circleOfJson(), {}), "[circular]"],
    [
      "a getter that throws",
      Object.defineProperty({ a: 1 }, "b", hostile),
      { a: 1, b: "[unreadable]" },
    ],
    [
      "an error whose message throws",
      Object.defineProperty(new Error("x"), "message", hostile),
      {},
    ],
    ["a revoked proxy", proxy, "[unreadable]"],
    ["a date that is none", new Date(Number.NaN), null],
    ["a symbol", Symbol("s"), "Symbol(s)"],
    ["a big number", 2n ** 64n, "18446744073709551616"],
    ["a name that is no entry", JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}')],
  ])("%s", (_what, value, shown) => {
    const line = parsed({ before: 1, value, after: 2 });
    expect(line).toMatchObject({
      level: "warn",
      message: "something happened",
      before: 1,
      after: 2,
    });
    if (typeof shown === "object" && shown !== null) expect(line.value).toMatchObject(shown);
    else expect(line.value).toBe(shown);
  });

  it("also where the fields are no object that can be read", () => {
    expect(JSON.parse(logged(proxy as Record<string, unknown>)[0]!)).toMatchObject({
      message: "something happened",
      fields: "[unreadable]",
    });
  });

  it("also where the line cannot be written", () => {
    createLog(fail).error("lost");
  });

  it("leaves out what is less urgent than its level", () => {
    const lines: string[] = [];
    const log = createLog((line) => void lines.push(JSON.parse(line).level));
    for (const level of ["info", "warn", "error"] as const) {
      log.level = level;
      log.info("one");
      log.warn("two");
      log.error("three");
    }
    expect(lines).toEqual(["info", "warn", "error", "warn", "error", "error"]);
  });

  it("lets no field stand for what the line begins with", () => {
    const line = parsed({ time: "never", level: "info", message: "nothing happened" });
    expect(line).toMatchObject({ level: "warn", message: "something happened" });
    expect(Date.parse(String(line.time))).not.toBeNaN();
  });
});

const hostile = { enumerable: true, get: fail };

function fail(): never {
  throw new Error("hostile");
}

function circleOfJson() {
  const circle = { toJSON: (): unknown => circle };
  return circle;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = { value };
  return value;
}

/** A hundred entries at every level. */
function bushy(depth: number): unknown {
  const shared: unknown = depth === 0 ? "leaf" : bushy(depth - 1);
  return Object.fromEntries(range(1, 100).map((n) => [`n${n}`, shared]));
}

/** Lists of lists of numbers. */
function lists(depth: number): unknown {
  return depth === 0 ? -1.7976931348623157e308 : Array(100).fill(lists(depth - 1));
}
