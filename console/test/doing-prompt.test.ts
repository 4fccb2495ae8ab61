import { BreakglassService, createBreakglassClient, TurnState } from "@breakglass/client";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { askedCall } from "../src/doing/asked-call.ts";
import { type Attached, attachedOf, attachmentProblems } from "../src/doing/attachments.ts";
import { NO_CHOICES } from "../src/doing/draft-keeping.ts";
import { PromptSending } from "../src/doing/prompt-sending.svelte.ts";
import { areAmounts, runRequest } from "../src/doing/run-request.ts";

const TURN_ID = "01985f4e-0000-7000-8000-000000000001";
const CUT = new ConnectError("network error", Code.Unknown);

function refusal(reason: string) {
  const value = { domain: "breakglass", reason, metadata: {} };
  return new ConnectError(reason, Code.FailedPrecondition, undefined, [
    { desc: ErrorInfoSchema, value },
  ]);
}

/** A server that fails so, one call after the other, and then starts the turn. */
function sendingOver(...failures: readonly ConnectError[]) {
  const ids: string[] = [];
  const transport = createRouterTransport(({ rpc }) => {
    rpc(BreakglassService.method.runTurn, async function* ({ requestId }) {
      const failure = failures[ids.length];
      ids.push(requestId);
      if (failure !== undefined) throw failure;
      const value = { sequence: 0, state: TurnState.RUNNING, caughtUp: false };
      yield { event: { turnId: TURN_ID, kind: { case: "checkpoint" as const, value } } };
    });
  });
  return { sending: new PromptSending(createBreakglassClient(transport)), ids };
}
const RUN = { requestId: "01985f4e-0000-4000-8000-000000000002", prompt: "Repair it." };

describe("PromptSending", () => {
  it("sends again what was lost under the same id, until it is a turn", async () => {
    const { sending, ids } = sendingOver(CUT, CUT);
    expect(await sending.send(RUN)).toBe(TURN_ID);
    expect(ids).toEqual([RUN.requestId, RUN.requestId, RUN.requestId]);
  });

  it("sends one at a time", async () => {
    const { sending, ids } = sendingOver();
    expect(await Promise.all([sending.send(RUN), sending.send(RUN)])).toEqual([TURN_ID, undefined]);
    expect(ids).toEqual([RUN.requestId]);
  });

  it("says refused where nothing came of it", async () => {
    const { sending } = sendingOver(refusal("ROLE_MISSING"));
    expect(await sending.send(RUN)).toBeUndefined();
    expect(sending.state).toMatchObject({ at: "ready", refusal: { rawMessage: "ROLE_MISSING" } });
  });

  it("does not say refused of what may have arrived before", async () => {
    const { sending } = sendingOver(CUT, refusal("ROLE_MISSING"));
    await sending.send(RUN);
    expect(sending.state).toMatchObject({ at: "unconfirmed" });
  });

  it("says so where the refusal speaks of the same request", async () => {
    const { sending } = sendingOver(CUT, refusal("TURN_IN_PROGRESS"));
    await sending.send(RUN);
    expect(sending.state).toMatchObject({ at: "ready" });
  });
});

describe("runRequest", () => {
  const draft = {
    text: "Repair it.",
    choices: NO_CHOICES,
    attachments: [],
    requestId: RUN.requestId,
  };

  it("asks for what was chosen, and recalls only in a session that exists", () => {
    const choices = {
      ...NO_CHOICES,
      model: " opus ",
      maxCostUsd: "2,50",
      timeoutMinutes: "1.5",
      recall: true,
    };
    const fresh = runRequest({ ...draft, choices }, undefined);
    expect(fresh).toMatchObject({
      model: "opus",
      maxCostUsd: 2.5,
      timeout: { seconds: 90n, nanos: 0 },
    });
    expect(fresh.recall).toBeUndefined();
    const session = { sessionId: "s", principal: "alice" };
    expect(runRequest({ ...draft, choices }, session)).toMatchObject({
      sessionId: "s",
      sessionPrincipal: "alice",
      recall: true,
    });
  });

  it.each([
    ["", true],
    ["3", true],
    ["0", false],
    ["-1", false],
    ["1e999", false],
    ["two", false],
  ])("takes %j as a limit: %j", (text, isTaken) => {
    expect(areAmounts({ ...NO_CHOICES, maxCostUsd: text })).toBe(isTaken);
  });

  it("takes no half calls of the model", () => {
    expect(areAmounts({ ...NO_CHOICES, maxModelTurns: "1.5" })).toBe(false);
  });
});

describe("attachments", () => {
  const agent = { imageMediaTypes: ["image/png"], maxImageBytes: 4n };
  const limits = { maxAttachmentBytes: 10n, maxAttachments: 3 };
  const file = (name: string, size: number, mediaType = "text/plain"): Attached => ({
    id: name,
    name,
    mediaType,
    size,
    data: new Uint8Array(size),
  });
  const problemOf = (...all: Attached[]) =>
    attachmentProblems(all, agent, limits).get(all.at(-1)!.id)?.what;

  it("finds what the server would refuse", () => {
    expect(problemOf(file("a", 10))).toBeUndefined();
    expect(problemOf(file("a", 6), file("b", 5))).toBe("too-large");
    expect(problemOf(file("a", 1), file("b", 1), file("c", 1), file("d", 1))).toBe("too-many");
    expect(problemOf(file("a.png", 5, "image/png"))).toBe("image-large");
    expect(problemOf(file("ä".repeat(128), 1))).toBe("name-long");
    expect(problemOf(file("a/b", 1))).toBe("name-bad");
    expect(problemOf(file("..", 1))).toBe("name-bad");
    expect(problemOf(file("a\u200bb", 1))).toBe("name-bad");
    expect(problemOf({ ...file("a", 1), data: undefined })).toBe("gone");
  });

  it("gives names that are not taken, and shows the model no image that it cannot take", async () => {
    const taken = ["Screen.png", "screen-2.PNG"];
    const svg = new File(["<svg/>"], "screen.png", { type: "image/svg+xml" });
    expect(await attachedOf(svg, taken, agent, limits)).toMatchObject({
      name: "screen-3.png",
      mediaType: "application/octet-stream",
    });
  });
});

describe("askedCall", () => {
  it("shows a command, and says where there is more than that", () => {
    expect(askedCall("Bash", '{"command":"ls","description":"x"}')).toMatchObject({
      as: "command",
      hasMore: false,
    });
    expect(askedCall("Bash", '{"command":"ls","timeout":1}')).toMatchObject({ hasMore: true });
  });

  it.each([
    ["Bash", '{"command":["ls"]}'],
    ["Edit", '{"file_path":"/a","old_string":1,"new_string":"b"}'],
    ["mcp__x", '{"command":"ls"}'],
    ["Bash", "not JSON"],
  ])("shows what it does not know as it is: %s %s", (name, json) => {
    expect(askedCall(name, json)).toEqual({ as: "json" });
  });
});
