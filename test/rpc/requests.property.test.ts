import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ConfigError } from "../../src/config/config-error.ts";
import { Refusal } from "../../src/errors.ts";
import { Tokens } from "../../src/identity/tokens.ts";
import { PageTokens, pageSizeOf } from "../../src/rpc/page-token.ts";
import {
  attachTurnRules,
  listSessionsRules,
  listTurnsRules,
  runTurnRules,
  sessionRules,
  turnRules,
  validate,
  watchTurnsRules,
} from "../../src/rpc/request-rules.ts";
import { anyId, isUuid, uuid } from "../support/arbitrary-ids.ts";
import { tokenOwner } from "../support/presented.ts";
import { tokenLine } from "../support/test-server.ts";

const MAX_PROMPT_BYTES = 100;

/** The fields that a request is refused for; none where it is taken. Whatever else is thrown is a defect. */
function refusedFields(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.reason).toBe("INVALID_ARGUMENT");
    const fields = (error.details.violations ?? []).map(({ field }) => field);
    expect(fields).not.toEqual([]);
    for (const field of fields) expect(error.message).toContain(field);
    return [...new Set(fields)];
  }
}

const anyName = fc.oneof(anyId, fc.stringMatching(/^[A-Za-z0-9._:/@-]{0,300}$/));
const anyDuration = fc.record({
  $typeName: fc.constant("google.protobuf.Duration" as const),
  seconds: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt(-2n, 2n)),
  nanos: fc.integer(),
});

describe("a request, whatever stands in it, is taken or refused by the names of its fields:", () => {
  it("RunTurn", () => {
    const request = fc.record({
      sessionId: anyId,
      prompt: fc.string({ unit: "binary", maxLength: 120 }),
      model: anyName,
      agent: anyName,
      requestId: anyId,
      timeout: fc.option(anyDuration, { nil: undefined }),
    });
    const rules = runTurnRules({
      maxPromptBytes: MAX_PROMPT_BYTES,
      maxAttachmentBytes: 1000,
    });
    const isName = (text: string) =>
      text.length <= 256 && !text.startsWith("-") && !/[^A-Za-z0-9._:/@-]/.test(text);
    const property = fc.property(request, (asked) => {
      const { sessionId, prompt, model, agent, requestId, timeout } = asked;
      const bytes = Buffer.from(prompt);
      const isPrompt =
        prompt.trim() !== "" &&
        !bytes.includes(0) &&
        bytes.toString() === prompt &&
        bytes.length <= MAX_PROMPT_BYTES;
      const wrong = [
        sessionId !== "" && !isUuid(sessionId) && "session_id",
        !isPrompt && "prompt",
        !isName(model) && "model",
        !isName(agent) && "agent",
        requestId !== "" && !isUuid(requestId) && "request_id",
      ].filter((field) => field !== false);
      const refused = refusedFields(() => validate(rules, create(RunTurnRequestSchema, asked)));
      expect(refused.filter((field) => field !== "timeout")).toEqual(wrong);
      if (timeout === undefined) expect(refused).not.toContain("timeout");
      else if (timeout.seconds > 3n) expect(refused).not.toContain("timeout");
      else if (timeout.seconds < -3n) expect(refused).toContain("timeout");
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it.each([
    ["AttachTurn", attachTurnRules, "turn_id"],
    ["GetTurn and CancelTurn", turnRules, "turn_id"],
    ["GetSession and DeleteSession", sessionRules, "session_id"],
    ["ListTurns", listTurnsRules, "session_id"],
    ["WatchTurns", watchTurnsRules, "session_id"],
  ] as const)("%s", (name, rules: z.ZodType, field) => {
    const request = fc.record({
      id: anyId,
      afterSequence: fc.nat(2 ** 32 - 1),
      pageToken: fc.string(),
    });
    const property = fc.property(request, ({ id, ...rest }) => {
      const ids = { turnId: id, sessionId: id, sessionPrincipal: "" };
      const filter = { states: [], principal: "", origin: 0, query: "", afterCursor: 0n };
      const asked = { ...ids, pageSize: 0, textDeltas: false, ...filter, ...rest };
      const refused = refusedFields(() => validate(rules, asked));
      const isAll = name.endsWith("Turns") && id === "";
      expect(refused).toEqual(isUuid(id) || isAll ? [] : [field]);
      if (!isUuid(id)) return;
      const taken = Object.values(validate(rules, asked) as object);
      // However it was written it is one and the same turn or session.
      expect(taken).toContain(id.toLowerCase());
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it("the size of a page", () => {
    const property = fc.property(fc.integer(), fc.string(), (pageSize, pageToken) => {
      const refused = refusedFields(() => validate(listSessionsRules, { pageSize, pageToken }));
      expect(refused).toEqual(pageSize < 0 ? ["page_size"] : []);
      if (pageSize < 0) return;
      expect(pageSizeOf(pageSize)).toBeGreaterThan(0);
      expect(pageSizeOf(pageSize)).toBeLessThanOrEqual(1000);
    });
    fc.assert(property, { numRuns: 500 });
  });
});

describe("a page token", () => {
  const turns = new PageTokens("turns", z.int());
  const sessions = new PageTokens("sessions", z.object({ at: z.int(), id: z.string() }));
  const scope = fc.oneof(uuid, fc.string({ unit: "binary" }));

  it("leads back to its place, and nowhere for another list or scope", () => {
    const place = fc.record({ at: fc.maxSafeInteger(), id: fc.string({ unit: "binary" }) });
    const property = fc.property(scope, scope, place, (mine, other, at) => {
      const token = sessions.encode(mine, at);
      expect(sessions.decode(mine, token)).toEqual(at);
      expect(refusedFields(() => turns.decode(mine, token))).toEqual(["page_token"]);
      fc.pre(mine !== other);
      expect(refusedFields(() => sessions.decode(other, token))).toEqual(["page_token"]);
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it("that was made up is refused by its name", () => {
    const encoded = (text: string) => Buffer.from(text).toString("base64url");
    const token = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.base64String(),
      fc.json().map(encoded),
      fc.jsonValue().map((value) => encoded(JSON.stringify(["turns", "scope", value]))),
    );
    const property = fc.property(token, (text) => {
      let place: number | undefined;
      const refused = refusedFields(() => {
        place = turns.decode("scope", text);
      });
      expect(refused).toEqual(place === undefined && text !== "" ? ["page_token"] : []);
      if (place !== undefined) expect(place).toSatisfy(Number.isSafeInteger);
    });
    fc.assert(property, { numRuns: 2000 });
  });
});

describe("a file of tokens", () => {
  const word = fc.stringMatching(/^[!-~]{1,20}$/);
  const line = fc.oneof(
    fc.tuple(word, word).map(([token, principal]) => tokenLine(token, principal).trim()),
    fc.constantFrom("", "# a remark", "  "),
  );

  it("lets in who holds one of its tokens, and nobody else", () => {
    const owners = fc.uniqueArray(fc.tuple(word, word), {
      selector: ([token]) => token,
      minLength: 1,
    });
    const property = fc.property(owners, fc.string({ unit: "binary" }), (pairs, header) => {
      const tokens = new Tokens(pairs.map(([token, who]) => tokenLine(token, who)).join(""), "f");
      for (const [token, who] of pairs)
        expect(tokenOwner(tokens, `Bearer ${token}`)?.name).toBe(who);
      const known = new Map(pairs);
      for (const text of [header, `Bearer ${header}`, `Basic ${header}`]) {
        const token = /^bearer +(\S+) *$/i.exec(text)?.[1] ?? "";
        expect(tokenOwner(tokens, text)?.name).toBe(known.get(token));
      }
    });
    fc.assert(property, { numRuns: 500 });
  });

  it("is read, or refused without a word of what stands in it", () => {
    const secret = fc.stringMatching(/^[a-zA-Z0-9:]{12,80}$/);
    const lines = fc.array(fc.oneof(line, secret, fc.string({ unit: "binary" })), { maxLength: 5 });
    const property = fc.property(lines, fc.constantFrom("\n", "\r\n"), (written, newline) => {
      try {
        new Tokens(written.join(newline), "FILE");
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        expect(error.message).toMatch(/^BREAKGLASS_TOKENS_FILE[^\n]*$/);
        for (const text of written.filter(({ length }) => length > 11)) {
          expect(error.message).not.toContain(text);
        }
      }
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
