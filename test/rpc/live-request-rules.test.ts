import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  ListTurnsRequestSchema,
  ResolveApprovalRequestSchema,
  RunTurnRequestSchema,
  SteerTurnRequestSchema,
  WatchSessionRequestSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { Refusal } from "../../src/errors.ts";
import {
  listTurnsRules,
  resolveApprovalRules,
  runTurnRules,
  steerTurnRules,
  validate,
  watchSessionRules,
} from "../../src/rpc/request-rules.ts";

const ID = "00000000-0000-4000-8000-00000000000a";

function fieldsOf(check: () => unknown): string[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    expect(error.reason).toBe("INVALID_ARGUMENT");
    return (error.details.violations ?? []).map(({ field }) => field);
  }
}

describe("the rules of SteerTurn", () => {
  const steer = (request: MessageInitShape<typeof SteerTurnRequestSchema>) =>
    validate(steerTurnRules, create(SteerTurnRequestSchema, { turnId: ID, ...request }));

  it("take a message literally, by its bytes", () => {
    for (const message of ["/compact", "-x", " a ", "𝄞".repeat(16 * 1024)]) {
      expect(steer({ message })).toEqual({ turnId: ID, message, requestId: "" });
    }
    expect(fieldsOf(() => steer({ message: `${"𝄞".repeat(16 * 1024)}x` }))).toEqual(["message"]);
  });

  it.each(["", " \n\t", "a\0", "\ud800"])("refuse the message %j", (message) => {
    expect(fieldsOf(() => steer({ message }))).toEqual(["message"]);
  });

  it("name every field that is wrong, at once", () => {
    const wrong = { turnId: "../x", message: "", requestId: "x" };
    expect(fieldsOf(() => steer(wrong))).toEqual(["turn_id", "message", "request_id"]);
  });
});

describe("the rules of ResolveApproval", () => {
  const resolve = (
    decision: MessageInitShape<typeof ResolveApprovalRequestSchema>["decision"],
    ids = { turnId: ID, approvalId: ID },
  ) =>
    validate(
      resolveApprovalRules,
      create(ResolveApprovalRequestSchema, { ...ids, ...(decision && { decision }) }),
    ).decision;

  it("make of a decision what the agent is answered", () => {
    expect(resolve({ case: "allow", value: {} })).toEqual({ allow: true });
    const inputJson = '{\n  "n": 9007199254740993 }';
    const changed = resolve({ case: "allow", value: { inputJson } });
    expect(changed).toEqual({ allow: true, inputJson });
    expect(resolve({ case: "deny", value: {} })).toEqual({ allow: false, message: "" });
    const denied = resolve({ case: "deny", value: { message: "not now" } });
    expect(denied).toEqual({ allow: false, message: "not now" });
  });

  it("refuse an answer that is none, and name the oneof", () => {
    expect(fieldsOf(() => resolve(undefined))).toEqual(["decision"]);
  });

  it.each(["", "null", "1", "[]", '"{}"', "{", "{}{}", "{'a':1}", '{"a":"\ud800"}'])(
    "refuse the changed input %j, and name it as the proto does",
    (inputJson) => {
      const fields = fieldsOf(() => resolve({ case: "allow", value: { inputJson } }));
      expect(new Set(fields)).toEqual(new Set(["allow.input_json"]));
    },
  );

  it("bound a changed input and a denial by their bytes", () => {
    const inputOf = (bytes: number) => `{"a":"${"x".repeat(bytes - 8)}"}`;
    const allow = (bytes: number) =>
      fieldsOf(() => resolve({ case: "allow", value: { inputJson: inputOf(bytes) } }));
    expect(allow(1024 * 1024)).toEqual([]);
    expect(allow(1024 * 1024 + 1)).toEqual(["allow.input_json"]);
    const deny = (message: string) => fieldsOf(() => resolve({ case: "deny", value: { message } }));
    expect(deny("𝄞".repeat(4096))).toEqual([]);
    expect(deny(`${"𝄞".repeat(4096)}x`)).toEqual(["deny.message"]);
    expect(deny("\ud800")).toEqual(["deny.message"]);
  });

  it("name the ids beside the decision", () => {
    const ids = { turnId: "", approvalId: "1" };
    expect(fieldsOf(() => resolve(undefined, ids))).toEqual(["turn_id", "approval_id", "decision"]);
  });
});

describe("the rules of WatchSession", () => {
  const watch = (afterCursor: bigint) =>
    validate(watchSessionRules, create(WatchSessionRequestSchema, { sessionId: ID, afterCursor }));

  it("take a cursor that is a number, and refuse one that no session can have", () => {
    expect(watch(0n).afterCursor).toBe(0);
    expect(watch(2n ** 53n - 1n).afterCursor).toBe(Number.MAX_SAFE_INTEGER);
    for (const cursor of [2n ** 53n, 2n ** 64n - 1n]) {
      expect(fieldsOf(() => watch(cursor))).toEqual(["after_cursor"]);
    }
  });
});

describe("the filter of ListTurns and WatchTurns", () => {
  const list = (filter: MessageInitShape<typeof ListTurnsRequestSchema>) =>
    validate(listTurnsRules, create(ListTurnsRequestSchema, filter));

  it("is nothing where it is empty", () => {
    const { since, until, principal, origin, query, states } = list({});
    expect([since, until, principal, origin, query]).toEqual(Array(5).fill(undefined));
    expect(states).toEqual([]);
    const { AGENT } = TurnOrigin;
    expect(list({ origin: AGENT, query: " a ", principal: "bob" })).toMatchObject({
      ...{ origin: AGENT, query: " a ", principal: "bob" },
    });
  });

  it("is bounded, and named where it has what cannot be", () => {
    expect(fieldsOf(() => list({ query: "é".repeat(128) }))).toEqual([]);
    expect(fieldsOf(() => list({ query: "é".repeat(129) }))).toEqual(["query"]);
    expect(fieldsOf(() => list({ principal: "x".repeat(1025) }))).toEqual(["principal"]);
    expect(fieldsOf(() => list({ origin: 3 as TurnOrigin }))).toEqual(["origin"]);
    const wrong = () => list({ query: "a\0", principal: "\ud800", origin: -1 as TurnOrigin });
    expect(fieldsOf(wrong)).toEqual(["principal", "origin", "query"]);
  });
});

describe("the permission mode of RunTurn", () => {
  const rules = runTurnRules({ maxPromptBytes: 100, maxAttachmentBytes: 100 });
  const run = (permissionMode: PermissionMode) =>
    validate(rules, create(RunTurnRequestSchema, { prompt: "x", permissionMode }));

  it("is one that is known, or left to the server", () => {
    const { UNSPECIFIED, BYPASS, ASK } = PermissionMode;
    for (const mode of [UNSPECIFIED, BYPASS, ASK]) expect(run(mode).permissionMode).toBe(mode);
    for (const mode of [-1, 3, 100] as PermissionMode[]) {
      expect(fieldsOf(() => run(mode))).toEqual(["permission_mode"]);
    }
  });
});
