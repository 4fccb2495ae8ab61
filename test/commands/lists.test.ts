import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { runCommand } from "./run-command.ts";
import { SESSION_ID, startServiceDouble, TURN_ID } from "./service-double.ts";

const time = timestampFromMs(Date.UTC(2026, 0, 2, 3, 4, 5, 678));

describe("sessions", () => {
  const first = { sessionId: SESSION_ID, agent: "medic", model: "opus", lastActiveTime: time };

  it("prints every page", async () => {
    await using service = await startServiceDouble({
      listSessions({ pageToken }) {
        const running = { ...first, turnCount: 2, runningTurnId: TURN_ID };
        if (pageToken === "") return { sessions: [running], nextPageToken: "two" };
        return { sessions: [{ ...first, turnCount: 1 }], nextPageToken: "" };
      },
      // Whose they are it asks once.
      getSession: ({ sessionId }) => ({ session: { sessionId } }),
    });
    const ended = await runCommand(["sessions", "--url", service.url]);
    expect(ended).toEqual({
      status: 0,
      stdout:
        `${SESSION_ID}  2026-01-02T03:04:05Z  2 turns  medic on opus  running ${TURN_ID}\n` +
        `${SESSION_ID}  2026-01-02T03:04:05Z  1 turn  medic on opus\n`,
      stderr: "",
    });
  });

  it("prints a session a line as JSON", async () => {
    await using service = await startServiceDouble({
      listSessions: () => ({ sessions: [{ sessionId: SESSION_ID, turnCount: 3 }] }),
    });
    const { stdout } = await runCommand(["sessions", "--json", "--url", service.url]);
    expect(JSON.parse(stdout)).toEqual({ sessionId: SESSION_ID, turnCount: 3 });
  });
});

describe("turns", () => {
  it("prints a session's turns with their states and prompts on one line", async () => {
    await using service = await startServiceDouble({
      listTurns: ({ sessionId }) => ({
        turns: [
          {
            turnId: TURN_ID,
            sessionId,
            state: TurnState.FAILED,
            errorReason: ErrorReason.TURN_TIMEOUT,
            prompt: "repair\n\u001b[2Jit",
            createTime: time,
          },
        ],
      }),
    });
    const { stdout } = await runCommand(["turns", "--url", service.url, SESSION_ID]);
    expect(stdout).toBe(
      `${TURN_ID}  2026-01-02T03:04:05Z  failed TURN_TIMEOUT  repair \\u{1b}[2Jit\n`,
    );
  });
});

describe("cancel", () => {
  it("prints how the turn ended", async () => {
    await using service = await startServiceDouble({
      cancelTurn: ({ turnId }) => ({ turn: { turnId, state: TurnState.CANCELED } }),
    });
    const ended = await runCommand(["cancel", "--url", service.url, TURN_ID]);
    expect(ended).toMatchObject({ status: 0, stdout: "canceled\n" });
  });
});

describe("the command line", () => {
  it.each([
    [["run"], "missing required argument 'prompt'"],
    [["run", "--timeout", "0", "x"], "number of seconds above 0"],
    [["run", "--sesion", "x", "y"], "unknown option '--sesion'"],
    [["attach", "x", "--after", "-1"], "whole number"],
    [["sessions", "--url", "nowhere"], '--url is "nowhere", but takes'],
    [["nosuch"], "unknown command 'nosuch'"],
  ])("refuses %j with 2", async (args, message) => {
    const ended = await runCommand(args);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
  });

  it("exits 3 where nothing listens", async () => {
    const { status, stderr } = await runCommand(["sessions", "--url", "http://127.0.0.1:1"]);
    expect(status).toBe(3);
    expect(stderr).toContain("breakglass: http://127.0.0.1:1: UNAVAILABLE: ");
  });
});
