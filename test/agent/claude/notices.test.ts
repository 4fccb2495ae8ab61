import { describe, expect, it } from "vitest";
import { NoticeReason } from "../../../gen/breakglass/v1/event_pb.ts";
import { casesOf, INIT, reasonsOf, synthetic, translate, valuesOf } from "./lines.ts";

describe("messages that the CLI wrote itself", () => {
  it("are API errors, with what to do", () => {
    const line = synthetic("Not logged in", {
      error: "authentication_failed",
      api_error_status: 401,
    });
    const { events } = translate(INIT, line);
    expect(casesOf(events)).toEqual(["session", "notice"]);
    const [notice] = valuesOf(events, "notice");
    expect(notice).toMatchObject({ reason: NoticeReason.API_ERROR, httpStatus: 401 });
    expect(notice?.message).toMatch(/^Not logged in\nOn the server, set ANTHROPIC_API_KEY/);
  });

  it("are API errors in versions that say no more than how they stopped", () => {
    const line = synthetic("API Error: x", {}, { stop_reason: "stop_sequence" });
    expect(reasonsOf(translate(line).events)).toEqual([NoticeReason.API_ERROR]);
  });

  it("are refusals, told of once", () => {
    const refusal = synthetic("flagged", { error: "invalid_request" }, { stop_reason: "refusal" });
    const told = { type: "system", subtype: "model_refusal_no_fallback", original_model: "m-1" };
    expect(reasonsOf(translate(refusal).events)).toEqual([NoticeReason.MODEL_REFUSAL]);
    expect(reasonsOf(translate(told, refusal).events)).toEqual([NoticeReason.MODEL_REFUSAL]);
  });

  it("are what a command of its own printed", () => {
    const { events } = translate(synthetic("$0.00", { local_command_source: "<x>" }));
    expect(valuesOf(events, "notice")[0]).toMatchObject({
      reason: NoticeReason.AGENT_WARNING,
      message: "$0.00",
    });
  });
});

describe("notices", () => {
  const system = (subtype: string, more: object = {}) => ({ type: "system", subtype, ...more });

  it.each([
    [
      system("model_fallback", { original_model: "a", fallback_model: "b" }),
      NoticeReason.MODEL_FALLBACK,
    ],
    [system("model_refusal_fallback", { fallback_model: "b" }), NoticeReason.MODEL_FALLBACK],
    [system("model_consent_fallback", { fallback_model: "b" }), NoticeReason.MODEL_FALLBACK],
    [
      system("informational", { content: "x", level: "warning", model_restriction: {} }),
      NoticeReason.MODEL_FALLBACK,
    ],
    [system("informational", { content: "x", level: "warning" }), NoticeReason.AGENT_WARNING],
    [system("local_command_output", { content: "x" }), NoticeReason.AGENT_WARNING],
    [system("task_started", { description: "x" }), NoticeReason.TASK_STARTED],
    [system("task_notification", { status: "failed", summary: "x" }), NoticeReason.TASK_ENDED],
    [
      system("permission_denied", { tool_name: "Bash", message: "x" }),
      NoticeReason.PERMISSION_DENIED,
    ],
    [system("api_retry", { attempt: "one" }), NoticeReason.MALFORMED_OUTPUT],
    [
      { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1e300 } },
      NoticeReason.RATE_LIMIT,
    ],
    [
      {
        type: "rate_limit_event",
        rate_limit_info: { status: "allowed_warning", resetsAt: 1795354163 },
      },
      NoticeReason.RATE_LIMIT,
    ],
    [{ type: "rate_limit_event" }, NoticeReason.MALFORMED_OUTPUT],
  ])("%j", (line, reason) => {
    expect(reasonsOf(translate(line).events)).toEqual([reason]);
  });

  it("are not made of what an operator need not know", () => {
    const lines = [
      { type: "rate_limit_event", rate_limit_info: { status: "allowed" } },
      system("informational", { content: "x", level: "notice" }),
      system("task_started", { description: "x", ambient: true }),
      system("hook_started"),
      system("status", { status: "requesting" }),
      system("from_the_future", { attempt: 1 }),
      { type: "stream_event", event: {} },
      { type: "control_request", request: {} },
      { type: "from_the_future", message: 1 },
    ];
    const { events, translation } = translate(...lines);
    expect(events).toEqual([]);
    expect(translation).toMatchObject({ understood: lines.length, initialized: false });
  });

  it("tell of a retry in numbers", () => {
    const retry = { attempt: 2, max_retries: 10, retry_delay_ms: 541.25, error_status: 529 };
    const { events } = translate(
      system("api_retry", retry),
      system("api_retry", { attempt: 1e99 }),
    );
    const [first, odd] = valuesOf(events, "notice");
    expect(first).toMatchObject({ attempt: 2, maxAttempts: 10, httpStatus: 529 });
    expect(first?.delay).toMatchObject({ seconds: 0n, nanos: 541_250_000 });
    expect(odd).toMatchObject({ attempt: 4_294_967_295, maxAttempts: 0, httpStatus: 0 });
    expect(odd?.delay).toBeUndefined();
  });

  it("tell of each compaction once", () => {
    const began = system("status", { status: "compacting" });
    const ended = system("status", { status: null, compact_result: "success" });
    const boundary = system("compact_boundary");
    const count = (...lines: object[]) => translate(...lines).events.length;
    expect(count(began, ended, boundary)).toBe(1);
    expect(count(began, boundary, ended)).toBe(1);
    expect(count(began, boundary, began, boundary)).toBe(2);
    expect(count(boundary, boundary)).toBe(2);
    expect(count(boundary, ended, boundary, ended)).toBe(2);
  });

  it("tell of lines that are not the CLI's", () => {
    const lines = [
      "2.1.330 (Claude Code)",
      "[]",
      "null",
      '{"type":7}',
      '{"type":"assistant"}',
      "{",
    ];
    const { events, translation } = translate(...lines, "", "  \r");
    expect(reasonsOf(events)).toEqual(lines.map(() => NoticeReason.MALFORMED_OUTPUT));
    expect(valuesOf(events, "notice")[0]?.message).toContain("2.1.330 (Claude Code)");
    expect(translation.understood).toBe(1);
    translation.refused(5e9, "limit", events);
    expect(valuesOf(events, "notice").at(-1)?.message).toContain("5000000000 bytes");
  });
});
