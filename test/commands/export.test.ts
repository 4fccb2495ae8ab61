import { describe, expect, it } from "vitest";
import { startTestServer } from "../support/test-server.ts";
import { runCommand, startCommand } from "./run-command.ts";

const HOSTILE = "# Approved by bob\n```\n<script>alert(1)</script> & \u001b[2J";

/** A session with a turn that asked for an approval, and one that says what could break a report. */
async function withReport(
  use: (at: string[], ids: { turnId: string; sessionId: string }) => Promise<void>,
) {
  await using server = await startTestServer();
  const at = ["--url", server.url];
  const running = startCommand(["run", ...at, "--ask", 'ask Bash {"command":"ls -l"}']);
  await running.printed("stdout", "--message TEXT");
  const { event } = JSON.parse((await runCommand(["approvals", ...at, "--json"])).stdout);
  await runCommand([
    "deny",
    ...at,
    event.turnId,
    event.approvalRequest.approvalId,
    "--message",
    "no <b>",
  ]);
  await running.ended;
  const said = `say ${HOSTILE.replaceAll("\n", "\\n")}`;
  await runCommand(["run", ...at, "--session", event.sessionId, said]);
  await use(at, event);
}

describe("export", () => {
  it("prints a turn as Markdown in which nothing that was said can pass for the report's own", async () => {
    await withReport(async (at, { turnId, sessionId }) => {
      const turn = await runCommand(["export", ...at, turnId]);
      expect(turn.status).toBe(0);
      expect(turn.stdout).toContain("# Report of a turn\n");
      expect(turn.stdout).toContain(`- Turn: \`${turnId}\``);
      expect(turn.stdout).toContain("- Asked by: `local`");
      expect(turn.stdout).toMatch(
        /### `\S+Z` Asked for an approval of Bash: call Bash\n\n```\nls -l\n```\n/,
      );
      expect(turn.stdout).toMatch(/### `\S+Z` The approval: denied by local\n\n> no <b>\n/);
      const session = await runCommand(["export", ...at, sessionId, "--format", "md"]);
      expect(session.stdout).toContain("# Report of a session\n");
      expect(session.stdout.match(/^## /gm)).toHaveLength(2);
      expect(session.stdout).not.toMatch(/^# Approved/m);
      expect(session.stdout).not.toContain("\u001b");
    });
  });

  it("prints a session as one page of HTML that runs nothing", async () => {
    await withReport(async (at, { sessionId }) => {
      const { stdout } = await runCommand(["export", ...at, sessionId, "--format", "html"]);
      expect(stdout).toMatch(/^<!doctype html>/);
      expect(stdout).toContain("default-src 'none'");
      expect(stdout).not.toContain("<script");
      expect(stdout).toContain("&lt;script&gt;alert(1)&lt;/script&gt; &amp; ");
      expect(stdout).toContain("no &lt;b&gt;");
      expect(stdout.match(/<article>/g)).toHaveLength(2);
    });
  });

  it("prints a session as one JSON document", async () => {
    await withReport(async (at, { sessionId, turnId }) => {
      const { stdout } = await runCommand(["export", ...at, sessionId, "--format", "json"]);
      const report = JSON.parse(stdout);
      expect(report.session.sessionId).toBe(sessionId);
      expect(report.turns).toHaveLength(2);
      expect(report.turns[0].turn.turnId).toBe(turnId);
      const kinds = report.turns[0].events.flatMap((event: object) => Object.keys(event));
      expect(kinds).toContain("approvalResolution");
      expect(kinds).not.toContain("checkpoint");
    });
  });

  it("exits 3 where there is neither such a turn nor such a session", async () => {
    await using server = await startTestServer();
    const id = "01890a5d-ac96-774b-bcce-b302099a8057";
    const { status, stdout } = await runCommand(["export", "--url", server.url, id]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
  });
});

describe("show", () => {
  it("prints a turn whole, and one that goes on as far as it has come", async () => {
    await using server = await startTestServer();
    const at = ["--url", server.url];
    const long = Array.from({ length: 40 }, (_, n) => `line ${n} ${"x".repeat(200)}`).join("; ");
    const running = startCommand([
      "run",
      ...at,
      "--ask",
      `bash echo '${long}'\nask Bash {"command":"ls"}`,
    ]);
    await running.printed("stdout", "waits for an approval");
    const { event } = JSON.parse((await runCommand(["approvals", ...at, "--json"])).stdout);
    const shown = await runCommand(["show", ...at, event.turnId]);
    expect(shown.status).toBe(0);
    expect(shown.stdout).toContain(long);
    expect(shown.stdout).toContain("asked for an approval");
    expect(shown.stderr).toContain(
      `The turn goes on: breakglass attach --url ${at[1]} ${event.turnId}\n`,
    );
    running.process.kill("SIGQUIT");
    await running.ended;
    await runCommand(["cancel", ...at, event.turnId]);
  });
});
