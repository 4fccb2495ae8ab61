import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  type ApprovalRequestEvent,
  type ApprovalRequestEventSchema,
  TurnEventSchema,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { openApprovalText } from "../../src/commands/approval-text.ts";
import { commandForm } from "../../src/commands/command-form.ts";
import { OpenApprovals } from "../../src/commands/open-approvals.ts";
import { print } from "../../src/commands/terminal-text.ts";

const command = commandForm("http://x:1", print`./breakglass`);
const ASKED = Date.UTC(2026, 0, 2, 3, 4, 5);

function asking(value: MessageInitShape<typeof ApprovalRequestEventSchema>, sequence = 7) {
  return create(TurnEventSchema, {
    turnId: "T",
    sequence,
    createTime: timestampFromMs(ASKED),
    kind: { case: "approvalRequest", value: { approvalId: "A", name: "Bash", ...value } },
  });
}

function shown(value: MessageInitShape<typeof ApprovalRequestEventSchema>, leftMs?: number) {
  const event = asking(value);
  const request = event.kind.value as ApprovalRequestEvent;
  return openApprovalText({ event, request, leftMs }, { style: (_style, text) => text }, command);
}

describe("what waits for an approval", () => {
  it("is shown with all of its input as the agent wrote it, how long it waits, and what answers it", () => {
    const inputJson = `{"command": "rm -rf /var/lib/${"x".repeat(300)}", "n": 1e400, "e": "\u202e"}`;
    const expireTime = timestampFromMs(ASKED + 600_000);
    const text = shown({ inputJson, description: "Make\nroom", expireTime }, 599_000);
    expect(text).toBe(
      [
        "? Bash waits for an approval: Make room",
        `  | ${inputJson.replace("\u202e", "\\u{202e}")}`,
        "  ! It has characters that do not show, or look like a space: here as \\u{NUMBER}.",
        "Will be denied at 2026-01-02T03:14:05Z (in 9 min). Answer with one of:",
        "  ./breakglass approve --url http://x:1 T A",
        "  ./breakglass deny --url http://x:1 T A --message TEXT",
        "",
      ].join("\n"),
    );
  });

  it("is never shown in part", () => {
    const inputJson = JSON.stringify({ command: `ls${" ".repeat(9000)}; rm -rf /` });
    const text = shown({ inputJson });
    expect(text).not.toContain("ls");
    expect(text).toContain(
      `the input has ${inputJson.length} characters; ./breakglass attach --url http://x:1 T --after 6 --json shows it`,
    );
    expect(shown({ truncated: true, totalBytes: 9_000_000n })).toContain("has 9000000 bytes");
  });
});

describe("what is open in a turn", () => {
  const checkpoint = (caughtUp: boolean, state: TurnState, time = ASKED) =>
    create(TurnEventSchema, {
      createTime: timestampFromMs(time),
      kind: { case: "checkpoint", value: { caughtUp, state } },
    });
  const resolved = (approvalId: string) =>
    create(TurnEventSchema, { kind: { case: "approvalResolution", value: { approvalId } } });
  const ids = (open: ReturnType<OpenApprovals["next"]>) =>
    open.map(({ request }) => request.approvalId);
  const WAITS = TurnState.AWAITING_APPROVAL;

  it("is nothing in a replay until it has caught up, and then only what was not answered", () => {
    const open = new OpenApprovals();
    const before = [
      checkpoint(false, WAITS),
      asking({}),
      asking({ approvalId: "B" }),
      resolved("A"),
    ];
    expect(before.flatMap((event) => ids(open.next(event)))).toEqual([]);
    expect(ids(open.next(checkpoint(true, WAITS)))).toEqual(["B"]);
    expect(ids(open.next(asking({ approvalId: "C" })))).toEqual(["C"]);
    expect(open.has("A")).toBe(false);
  });

  it("is nothing of a turn that has ended", () => {
    const open = new OpenApprovals();
    open.next(asking({}));
    expect(open.next(checkpoint(true, TurnState.LOST))).toEqual([]);
  });

  it("is found again after a connection that broke, without what was answered meanwhile", () => {
    const open = new OpenApprovals();
    for (const event of [checkpoint(true, WAITS), asking({}), asking({ approvalId: "B" })]) {
      open.next(event);
    }
    open.lost();
    expect([checkpoint(false, WAITS), resolved("A")].flatMap((each) => open.next(each))).toEqual(
      [],
    );
    expect(ids(open.next(checkpoint(true, WAITS)))).toEqual(["B"]);
  });

  it("waits for as long as the server's own clock says", () => {
    const open = new OpenApprovals();
    open.next(asking({ expireTime: timestampFromMs(ASKED + 60_000) }));
    const [found] = open.next(checkpoint(true, WAITS, ASKED + 20_000));
    expect(found?.leftMs).toBe(40_000);
  });
});
