import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  ApprovalDecision,
  NoticeReason,
  type TurnEvent,
} from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { type LiveServer, said, startLiveServer } from "../e2e/live-server.ts";
import type { EventReader } from "../support/event-reader.ts";
import { valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { refusalOf } from "../support/refusals.ts";

const permissionMode = PermissionMode.ASK;
const SMALL_EVENTS = { BREAKGLASS_MAX_EVENT_BYTES: "16384" };

let live: LiveServer;
beforeAll(async () => {
  live = await startLiveServer(SMALL_EVENTS);
});
afterAll(() => live[Symbol.asyncDispose]());

const DEEP = `${'{"a":'.repeat(2500)}1${"}".repeat(2500)}`;
const LARGE = `{"command":"true ${"#".repeat(20_000)}; rm -rf /"}`;
const FAR = `{"n":1.0,"text":"${"x".repeat(1000)}"}`;

/** The line that asks, as the CLI would print it. */
function question(requestId: string, input: string, name = "Bash"): string {
  return `{"type":"control_request","request_id":"${requestId}","request":{"subtype":"can_use_tool","tool_name":"${name}","input":${input},"tool_use_id":"toolu_1"}}`;
}

async function asked(reader: EventReader) {
  const { turnId, kind } = await reader.until("approvalRequest");
  if (kind.case !== "approvalRequest") throw new Error("not asked");
  return { turnId, request: kind.value, approvalId: kind.value.approvalId };
}

const denials = (events: readonly TurnEvent[]) =>
  valuesOf(events, "notice").filter(({ reason }) => reason === NoticeReason.PERMISSION_DENIED);

describe("a tool call that cannot be shown whole", () => {
  it.each([
    ["is nested too deep", DEEP, "Bash", String(DEEP.length)],
    ["is larger than an event", LARGE, "Bash", String(LARGE.length)],
    ["has a name that would be cut", "{}", "B".repeat(301), "B".repeat(300)],
  ])(
    "because it %s is denied by itself, and the agent is told why",
    async (_why, input, name, told) => {
      const prompt = script(`question r1 ${question("r1", input, name)}`, "say on");
      const events = await live.run({ prompt, permissionMode });
      expect(valuesOf(events, "approvalRequest")).toEqual([]);
      expect(denials(events)).toMatchObject([{ message: expect.stringContaining(told) }]);
      const [answer = "", after] = said(events);
      expect(JSON.parse(answer)).toMatchObject({ behavior: "deny", message: expect.any(String) });
      expect(after).toBe("on");
      expect(valuesOf(events, "result")).toHaveLength(1);
    },
  );

  it("is answered in words that say what the agent can do", async () => {
    const events = await live.run({ prompt: `ask Bash ${LARGE}`, permissionMode });
    expect(valuesOf(events, "toolResult")).toMatchObject([
      { isError: true, content: expect.stringMatching(/20\d\d\d bytes.*Make the call smaller/) },
    ]);
  });
});

describe("what was shown of a tool call", () => {
  it.each([
    ["has a key twice", '{"command":"ls","command":"rm"}', '{"command":"rm"}'],
    ["has a key that is no ordinary one", '{"__proto__":{"x":1}}', '{"__proto__":{"x":1}}'],
    ["has numbers as nobody writes them", '{"n":1.0,"m":12345678901234567890}', undefined],
    ["has letters that cannot be seen", '{"command":"ls \u202e\u200b"}', undefined],
    ["has half a character", String.raw`{"command":"\ud800"}`, undefined],
    ["is long", FAR, undefined],
  ])("is what is run, where it %s", async (_what, input, shown = input) => {
    const prompt = script(`question r1 ${question("r1", input)}`);
    const reader = live.open({ prompt, permissionMode });
    const { turnId, approvalId, request } = await asked(reader);
    expect(request.inputJson).toBe(shown);
    const decision = { case: "allow", value: {} } as const;
    await live.client.resolveApproval({ turnId, approvalId, decision });
    const [answer = ""] = said(await reader.rest());
    expect(JSON.parse(answer)).toEqual({ behavior: "allow", updatedInput: JSON.parse(shown) });
  });
});

describe("a question under an id that waits already", () => {
  it("takes its place, and no answer to the first is taken for one to the second", async () => {
    const second = question("r1", '{"command":"rm"}');
    const prompt = script(`print ${question("r1", '{"command":"ls"}')}`, `question r1 ${second}`);
    const reader = live.open({ prompt, permissionMode });
    const first = await asked(reader);
    const { turnId, approvalId } = await asked(reader);
    const decision = { case: "allow", value: {} } as const;
    const late = live.client.resolveApproval({ ...first, decision });
    expect(await refusalOf(late)).toMatchObject({ reason: "APPROVAL_RESOLVED" });
    await live.client.resolveApproval({
      turnId,
      approvalId,
      decision: { case: "deny", value: {} },
    });
    const events = await reader.rest();
    expect(valuesOf(events, "approvalResolution")).toMatchObject([
      { approvalId: first.approvalId, decision: ApprovalDecision.WITHDRAWN },
      { approvalId, decision: ApprovalDecision.DENIED },
    ]);
    expect(JSON.parse(said(events)[0]!)).toMatchObject({ behavior: "deny" });
  });
});
