import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type {
  ResolveApprovalRequest,
  RunTurnRequest,
  SteerTurnRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode, TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { runCommand, startCommand } from "./run-command.ts";
import { checkpoint, response, SESSION_ID, startServiceDouble, TURN_ID } from "./service-double.ts";

const APPROVAL_ID = "5b0a3a60-6f4c-4b51-9d8e-9a1f0e1d2c3b";
const REQUEST_ID = "3f1f7a52-3bd0-4bd5-8f6f-3b0d2f0c8a11";
const CAUSE_ID = "01890a5d-ac96-774b-bcce-b302099a8058";
const succeeded = response({ case: "result", value: { result: "done" } }, 1);
const denied = response(
  { case: "result", value: { permissionDenials: [{ name: "Bash", inputJson: "{}" }] } },
  1,
);

describe("run", () => {
  it.each([
    [[], PermissionMode.UNSPECIFIED, false],
    [["--ask"], PermissionMode.ASK, false],
    [["--bypass"], PermissionMode.BYPASS, false],
    [["--json", "--deltas"], PermissionMode.UNSPECIFIED, true],
    [["--json"], PermissionMode.UNSPECIFIED, false],
    [["--deltas"], PermissionMode.UNSPECIFIED, false],
  ])(
    "with %j into a pipe asks for mode and pieces of text accordingly",
    async (options, permissionMode, textDeltas) => {
      const requests: RunTurnRequest[] = [];
      await using service = await startServiceDouble({
        async *runTurn(request) {
          requests.push(request);
          yield checkpoint();
          yield succeeded;
        },
      });
      const { status } = await runCommand(["run", "--url", service.url, ...options, "repair it"]);
      expect(status).toBe(0);
      expect(requests).toMatchObject([{ permissionMode, textDeltas }]);
    },
  );

  it("sends files under their names and takes the prompt for none", async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), "attach-"));
    const paths = ["top.log", "panel.PNG", "core"].map((name) => join(directory.path, name));
    for (const path of paths) await writeFile(path, `bytes of ${path}`);
    const requests: RunTurnRequest[] = [];
    await using service = await startServiceDouble({
      async *runTurn(request) {
        requests.push(request);
        yield checkpoint();
        yield succeeded;
      },
    });
    const files = paths.flatMap((path) => ["--attach", path]);
    const { status } = await runCommand(["run", "--url", service.url, ...files, "repair it"]);
    expect(status).toBe(0);
    expect(requests[0]?.prompt).toBe("repair it");
    const sent = requests[0]?.attachments.map(({ name, mediaType, data }) => [
      name,
      mediaType,
      new TextDecoder().decode(data),
    ]);
    expect(sent).toEqual([
      ["top.log", "text/plain", `bytes of ${paths[0]}`],
      ["panel.PNG", "image/png", `bytes of ${paths[1]}`],
      ["core", "application/octet-stream", `bytes of ${paths[2]}`],
    ]);
  });

  it("refuses a file that cannot be read before anything is sent", async () => {
    const { status, stderr } = await runCommand(["run", "--attach", "/nowhere/x", "repair it"]);
    expect(status).toBe(2);
    expect(stderr).toContain('"/nowhere/x" cannot be attached');
  });

  it("refuses both modes at once", async () => {
    const { status, stderr } = await runCommand(["run", "--ask", "--bypass", "repair it"]);
    expect({ status, stderr }).toMatchObject({ status: 2 });
    expect(stderr).toContain("cannot be used with");
  });

  it("exits 4 and says what was denied where the turn succeeded without it", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield denied;
      },
    });
    const { status, stdout } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(4);
    expect(stdout).toContain("1 tool call was denied:\n  - Bash {}\n");
  });

  it("follows a turn that waits and one that asks, and does not take either for its end", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint(TurnState.QUEUED);
        yield checkpoint(TurnState.QUEUED);
        yield response(
          { case: "approvalRequest", value: { approvalId: APPROVAL_ID, name: "Bash" } },
          1,
        );
        yield checkpoint(TurnState.AWAITING_APPROVAL, 1);
        yield response({ case: "result", value: {} }, 2);
      },
    });
    const { status, stdout } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(0);
    expect(stdout.match(/The turn waits for the agent's own to end/g)).toHaveLength(1);
    expect(stdout).toContain(
      `  breakglass approve --url ${service.url} ${TURN_ID} ${APPROVAL_ID}\n`,
    );
  });
});

describe("attach", () => {
  it.each([
    [2, 4],
    [0, 0],
  ])(
    "of a turn that had succeeded with %i denials exits %i",
    async (permissionDenialCount, status) => {
      await using service = await startServiceDouble({
        async *attachTurn() {
          yield checkpoint(TurnState.SUCCEEDED, 7);
        },
        getTurn: ({ turnId }) => ({ turn: { turnId, permissionDenialCount } }),
      });
      const ended = await runCommand(["attach", "--url", service.url, TURN_ID, "--after", "7"]);
      expect(ended).toMatchObject({ status, stdout: "The turn had ended: succeeded\n" });
    },
  );
});

describe("interrupt", () => {
  it("prints how the turn ended", async () => {
    await using service = await startServiceDouble({
      interruptTurn: ({ turnId }) => ({ turn: { turnId, state: TurnState.CANCELED } }),
    });
    const ended = await runCommand(["interrupt", "--url", service.url, TURN_ID]);
    expect(ended).toEqual({ status: 0, stdout: "canceled\n", stderr: "" });
  });

  it("exits 3 where the agent does not obey", async () => {
    await using service = await startServiceDouble({
      interruptTurn() {
        const info = { reason: "INTERRUPT_NOT_OBEYED", domain: "breakglass" };
        throw new ConnectError("it goes on", Code.Aborted, undefined, [
          { desc: ErrorInfoSchema, value: info },
        ]);
      },
    });
    const { status, stderr } = await runCommand(["interrupt", "--url", service.url, TURN_ID]);
    expect(status).toBe(3);
    expect(stderr).toContain("ABORTED INTERRUPT_NOT_OBEYED: it goes on\n");
  });
});

describe("steer", () => {
  it("sends the message literally, with a request id, and tells where it is recorded", async () => {
    const requests: SteerTurnRequest[] = [];
    await using service = await startServiceDouble({
      steerTurn(request) {
        requests.push(request);
        return { sequence: 12 };
      },
    });
    const args = ["steer", "--url", service.url];
    const ended = await runCommand([...args, "--request-id", REQUEST_ID, TURN_ID, "-"], {
      stdin: "--not the database\n",
    });
    await runCommand([...args, TURN_ID, "the gateway"]);
    expect(ended).toEqual({ status: 0, stdout: "recorded as event 12\n", stderr: "" });
    expect(requests).toMatchObject([
      { turnId: TURN_ID, message: "--not the database\n", requestId: REQUEST_ID },
      {
        turnId: TURN_ID,
        message: "the gateway",
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    ]);
  });

  it("tells how to repeat it where nobody answered", async () => {
    const { status, stderr } = await runCommand([
      "steer",
      "--url",
      "http://127.0.0.1:1",
      TURN_ID,
      "x",
    ]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/The same command with --request-id [0-9a-f-]{36} does not tell/);
  });
});

describe("approve and deny", () => {
  it("send the answer that the command line says", async () => {
    const requests: ResolveApprovalRequest[] = [];
    await using service = await startServiceDouble({
      resolveApproval(request) {
        requests.push(request);
        return {};
      },
    });
    const at = ["--url", service.url, TURN_ID, APPROVAL_ID];
    const input = '{"command": "ls"}';
    const printed = [
      await runCommand(["approve", ...at]),
      await runCommand(["approve", ...at, "--input", input]),
      await runCommand(["approve", ...at, "--input", "-"], { stdin: input }),
      await runCommand(["deny", ...at, "--message", "not that"]),
    ].map(({ stdout }) => stdout);
    expect(requests[0]?.decision.value).not.toHaveProperty("inputJson");
    expect(requests.map(({ decision }) => decision)).toMatchObject([
      { case: "allow", value: {} },
      { case: "allow", value: { inputJson: input } },
      { case: "allow", value: { inputJson: input } },
      { case: "deny", value: { message: "not that" } },
    ]);
    const changed = "allowed with another input\n";
    expect(printed).toEqual(["allowed\n", changed, changed, "denied\n"]);
  });

  it("exits 3 with who answered first", async () => {
    await using service = await startServiceDouble({
      resolveApproval() {
        const metadata = { principal: "bo\u001b[2Jb", decision: "DENIED" };
        const info = { reason: "APPROVAL_RESOLVED", domain: "breakglass", metadata };
        throw new ConnectError("decided", Code.FailedPrecondition, undefined, [
          { desc: ErrorInfoSchema, value: info },
        ]);
      },
    });
    const args = ["approve", "--url", service.url, TURN_ID, APPROVAL_ID];
    const { status, stderr } = await runCommand(args);
    expect(status).toBe(3);
    expect(stderr).toContain("FAILED_PRECONDITION APPROVAL_RESOLVED: decided\n");
    expect(stderr).toContain("  principal: bo\\u{1b}[2Jb\n  decision: DENIED\n");
  });
});

describe("watch", () => {
  const own = {
    turnId: TURN_ID,
    state: TurnState.RUNNING,
    origin: TurnOrigin.AGENT,
    causeTurnId: CAUSE_ID,
    createTime: timestampFromMs(Date.UTC(2026, 0, 2, 3, 4, 5)),
    endTime: timestampFromMs(Date.UTC(2026, 0, 2, 3, 4, 6)),
  };

  it("prints each change once over a connection that breaks, and tells how to go on when it is left", async () => {
    const asked: bigint[] = [];
    await using service = await startServiceDouble({
      async *watchSession({ afterCursor }, { signal }) {
        asked.push(afterCursor);
        yield { cursor: 8n, change: { case: "turnStarted", value: own } };
        if (asked.length === 1) throw new ConnectError("gone", Code.Unavailable);
        const ended = { ...own, state: TurnState.SUCCEEDED, totalCostUsd: 0.5 };
        yield { cursor: 9n, change: { case: "turnEnded", value: ended } };
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
    });
    const command = startCommand(["watch", "--url", service.url, SESSION_ID, "--after", "7"]);
    await command.printed("stdout", "ended");
    command.process.kill("SIGINT");
    const { status, stdout, stderr } = await command.ended;
    expect({ status, asked }).toEqual({ status: 130, asked: [7n, 8n] });
    expect(stdout).toBe(
      `2026-01-02T03:04:05Z  started  ${TURN_ID}  running  (by the agent itself after ${CAUSE_ID})\n` +
        `2026-01-02T03:04:06Z  ended    ${TURN_ID}  succeeded  $0.5000  (by the agent itself after ${CAUSE_ID})\n`,
    );
    expect(stderr).toContain(
      `Watch again: breakglass watch --url ${service.url} ${SESSION_ID} --after 9\n`,
    );
  });

  it("exits 3 where the session is deleted", async () => {
    await using service = await startServiceDouble({
      async *watchSession() {
        yield { cursor: 0n, caughtUp: true };
        throw new ConnectError("no such session", Code.NotFound);
      },
    });
    const { status, stdout, stderr } = await runCommand([
      "watch",
      "--url",
      service.url,
      SESSION_ID,
    ]);
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
    expect(stderr).toContain("NOT_FOUND: no such session");
  });
});
