import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { Refusal } from "../../src/errors.ts";
import { runTurnRules, turnRules, validate } from "../../src/rpc/request-rules.ts";

const RULES = runTurnRules({ maxPromptBytes: 100, maxAttachmentBytes: 1000 });
const GOOD = create(RunTurnRequestSchema, { prompt: "look" });

function fieldsOf(request: Partial<Parameters<typeof validate<typeof RULES>>[1]>): string[] {
  try {
    validate(RULES, { ...GOOD, ...request });
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return (error.details.violations ?? []).map(({ field }) => field);
  }
}

describe("the rules of RunTurn", () => {
  it("take what they should", () => {
    for (const name of ["claude-sonnet-5", "us.vendor/model:v1@2", "a", "M".repeat(256)]) {
      expect(fieldsOf({ model: name, agent: name })).toEqual([]);
    }
    const sessionId = "AAAAAAAA-0000-0000-0000-00000000000F";
    expect(validate(RULES, { ...GOOD, sessionId }).sessionId).toBe(sessionId.toLowerCase());
    for (const prompt of ["-v", "/cost", "@/etc/passwd", "𝄞".repeat(25), " x "]) {
      expect(validate(RULES, { ...GOOD, prompt }).prompt).toBe(prompt);
    }
  });

  it("take a prompt by its bytes, not its characters", () => {
    expect(fieldsOf({ prompt: "x".repeat(100) })).toEqual([]);
    expect(fieldsOf({ prompt: "x".repeat(101) })).toEqual(["prompt"]);
    expect(fieldsOf({ prompt: "𝄞".repeat(26) })).toEqual(["prompt"]);
  });

  it.each(["", " ", "\n\t", "a\0", "\ud800", "a\udc00b"])("refuse the prompt %j", (prompt) => {
    expect(fieldsOf({ prompt })).toEqual(["prompt"]);
  });

  it.each(["-x", "--mcp-config=/tmp/x", "a b", "a\n", "ä", "a=b", "a,b", "a\0", "M".repeat(257)])(
    "refuse the name %j",
    (name) => {
      expect(fieldsOf({ model: name, agent: name })).toEqual(["model", "agent"]);
    },
  );

  it.each([
    [0n, 0],
    [-1n, 0],
    [0n, -1],
  ])("refuse a timeout of %s s and %s ns", (seconds, nanos) => {
    const timeout = { $typeName: "google.protobuf.Duration", seconds, nanos } as const;
    expect(fieldsOf({ timeout })).toEqual(["timeout"]);
  });

  it("name every field that is wrong, at once", () => {
    const wrong = { sessionId: "x", prompt: "", model: "-", agent: "-", requestId: "y" };
    expect(fieldsOf(wrong)).toEqual(["session_id", "prompt", "model", "agent", "request_id"]);
  });

  it("let nothing through that could be a path or an option", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(text !== "");
        if (fieldsOf({ sessionId: text }).length === 0) expect(text).toMatch(/^[0-9a-f-]{36}$/i);
        if (fieldsOf({ model: text }).length === 0) expect(text).toMatch(/^[^-\s\0=][^\s\0=]*$/);
      }),
    );
  });
});

describe("an id", () => {
  it.each([
    "../x",
    "/",
    "a\0",
    "x".repeat(10_000),
    "00000000-0000-0000-0000-00000000000g",
    "{}",
    " ",
  ])("is not %j", (turnId) => {
    expect(() => validate(turnRules, { turnId })).toThrow("turn_id must be a UUID");
  });
});
