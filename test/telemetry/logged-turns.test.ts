import { describe, expect, it } from "vitest";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { collect } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";

const SECRET = "a-word-that-is-nowhere-else";

describe("the server's log", () => {
  it("tells of each turn and approval, and nothing that was said or read", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = `ask Bash {"command": "${SECRET}"}\nsay ${SECRET}`;
    const reading = collect(client.runTurn({ prompt, permissionMode: PermissionMode.ASK }));
    const { approvals } = await eventually(
      () => client.listApprovals({}),
      (page) => page.approvals.length > 0,
    );
    const { event } = approvals[0]!;
    if (event?.kind.case !== "approvalRequest") throw new Error("nothing waits");
    const { turnId, sessionId } = event;
    const { approvalId } = event.kind.value;
    const value = { message: SECRET };
    await client.resolveApproval({ turnId, approvalId, decision: { case: "deny", value } });
    await reading;
    const told = server.log
      .map((line) => JSON.parse(line))
      .filter((line) => line.turnId === turnId);
    expect(told).toMatchObject([
      {
        message: "a turn was accepted",
        sessionId,
        principal: "local",
        mode: "ASK",
        origin: "CALLER",
      },
      { message: "a turn was started", sessionId },
      { message: "a tool call waits for an approval", sessionId, approvalId, tool: "Bash" },
      { message: "an approval was decided", approvalId, decision: "DENIED", principal: "local" },
      {
        message: "a turn ended",
        sessionId,
        state: "SUCCEEDED",
        costUsd: 0.25,
        tookMs: expect.any(Number),
      },
    ]);
    expect(server.log.join()).not.toContain(SECRET);
  });
});

describe.skipIf(process.getuid?.() !== 0)("a server that is root's", () => {
  const CLAUDE = { BREAKGLASS_AGENT_COMMAND: "/nowhere/claude" };
  const WARNING = "the Claude Code CLI refuses to work unattended as root";

  it("says at the start that its turns will fail, and what to set", async () => {
    await using server = await startTestServer(CLAUDE);
    expect(server.log.join()).toContain(WARNING);
    expect(server.log.join()).toContain("IS_SANDBOX=1");
    await server.restart({ IS_SANDBOX: "1" });
    expect(server.log.join().split(WARNING)).toHaveLength(2);
  });

  it("does not start where its own CLI would refuse each turn, and says what to set", async () => {
    const OWN = { BREAKGLASS_AGENT_COMMAND: "", BREAKGLASS_SPARE_PROCESSES: "0" };
    await expect(startTestServer(OWN)).rejects.toThrow(
      /refuses to work unattended as root.* IS_SANDBOX=1.* BREAKGLASS_PERMISSION_MODE=ask$/,
    );
    for (const settings of [{ IS_SANDBOX: "1" }, { BREAKGLASS_PERMISSION_MODE: "ask" }]) {
      await using server = await startTestServer({ ...OWN, ...settings });
      expect(server.log.join()).not.toContain(WARNING);
    }
  });
});
