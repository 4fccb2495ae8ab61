import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type { RunTurnRequest } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { runCommand, startCommand } from "./run-command.ts";
import { checkpoint, response, SESSION_ID, startServiceDouble, TURN_ID } from "./service-double.ts";

const text = response({ case: "text", value: { text: "I look\u001b[2J." } }, 1);
const succeeded = response({ case: "result", value: { result: "done" } }, 2);

describe("run", () => {
  it("prints a turn that succeeds and tells its ids", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield text;
        yield succeeded;
      },
    });
    const ended = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(ended).toEqual({
      status: 0,
      stdout: "I look\\u{1b}[2J.\nSucceeded\n",
      stderr: `turn ${TURN_ID}\nsession ${SESSION_ID}\n`,
    });
  });

  it("prints one event a line as JSON, checkpoints included", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield text;
        yield succeeded;
      },
    });
    const { stdout } = await runCommand(["run", "--json", "--url", service.url, "repair it"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const ids = { turnId: TURN_ID, sessionId: SESSION_ID };
    expect(events).toEqual([
      { ...ids, checkpoint: { state: "TURN_STATE_RUNNING", caughtUp: true } },
      { ...ids, sequence: 1, text: { text: "I look\u001b[2J." } },
      { ...ids, sequence: 2, result: { result: "done" } },
    ]);
    expect(stdout).not.toContain("\u001b");
  });

  it("sends everything that it was told, with a prompt from stdin and the token", async () => {
    const requests: RunTurnRequest[] = [];
    const tokens: (string | null)[] = [];
    await using service = await startServiceDouble({
      async *runTurn(request, { requestHeader }) {
        requests.push(request);
        tokens.push(requestHeader.get("authorization"));
        yield checkpoint();
        yield text;
        yield succeeded;
      },
    });
    const requestId = "3f1f7a52-3bd0-4bd5-8f6f-3b0d2f0c8a11";
    const options = ["--session", SESSION_ID, "--model", "opus", "--agent", "medic"];
    const { status } = await runCommand(
      ["run", ...options, "--timeout", "1.5", "--request-id", requestId, "-"],
      {
        environment: { BREAKGLASS_URL: service.url, BREAKGLASS_TOKEN: "s3cret" },
        stdin: "--model=x\n/cost\n",
      },
    );
    expect(status).toBe(0);
    expect(tokens).toEqual(["Bearer s3cret"]);
    expect(requests).toMatchObject([
      {
        prompt: "--model=x\n/cost\n",
        sessionId: SESSION_ID,
        model: "opus",
        agent: "medic",
        requestId,
        timeout: { seconds: 1n, nanos: 500_000_000 },
      },
    ]);
  });

  it("refuses a prompt from stdin that is no UTF-8", async () => {
    const ended = await runCommand(["run", "-"], { stdin: Uint8Array.of(0x66, 0xff) });
    expect(ended).toEqual({
      status: 2,
      stdout: "",
      stderr: "breakglass: the prompt on stdin is not UTF-8\n",
    });
  });

  it.each([
    ["a failed result", response({ case: "result", value: { isError: true } }, 1)],
    ["an error", response({ case: "error", value: { reason: ErrorReason.TURN_TIMEOUT } }, 1)],
  ])("exits 1 after %s", async (_what, terminal) => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield terminal;
      },
    });
    const { status } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(1);
  });

  it("exits 3 with code, reason and fields where the server refuses", async () => {
    await using service = await startServiceDouble({
      runTurn() {
        throw new ConnectError("bad \u001b[2Jrequest", Code.InvalidArgument, undefined, [
          { desc: ErrorInfoSchema, value: { reason: "INVALID_ARGUMENT", domain: "breakglass" } },
          {
            desc: BadRequestSchema,
            value: create(BadRequestSchema, {
              fieldViolations: [{ field: "session_id", description: "is no UUID" }],
            }),
          },
        ]);
      },
    });
    const ended = await runCommand(["run", "--url", service.url, "--session", "x", "repair it"]);
    expect(ended).toEqual({
      status: 3,
      stdout: "",
      stderr: `breakglass: ${service.url}: INVALID_ARGUMENT: bad \\u{1b}[2Jrequest\n  --session: is no UUID\n`,
    });
  });

  it("exits 3 and tells how to attach where the server does not let it go on", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield text;
        throw new ConnectError("draining", Code.Unavailable);
      },
      // biome-ignore lint/correctness/useYield: it stands for a server that refuses
      async *attachTurn() {
        throw new ConnectError("no such turn", Code.NotFound);
      },
    });
    const { status, stderr } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(3);
    expect(stderr).toMatch(
      /^Connection lost \(UNAVAILABLE: draining\); trying again in 0\.\d s\.$/m,
    );
    expect(stderr).toContain(
      `Attach again: breakglass attach --url ${service.url} ${TURN_ID} --after 1\n`,
    );
    expect(stderr).toContain("NOT_FOUND: no such turn");
  });

  it("goes on where the stream ends before its turn, prints all once and says what happened", async () => {
    const asked: number[] = [];
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        yield text;
      },
      async *attachTurn({ afterSequence }) {
        asked.push(afterSequence);
        yield checkpoint(TurnState.RUNNING, afterSequence);
        yield succeeded;
      },
    });
    const { status, stdout, stderr } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(0);
    expect(asked).toEqual([1]);
    expect(stdout).toBe("I look\\u{1b}[2J.\nSucceeded\n");
    expect(stderr).toMatch(
      /Connection lost \(the stream ended before its turn\).*\nConnected again\.\n$/,
    );
  });

  it("joins a start whose answer was lost", async () => {
    const requestIds: string[] = [];
    await using service = await startServiceDouble({
      async *runTurn({ requestId }) {
        requestIds.push(requestId);
        if (requestIds.length < 3) throw new ConnectError("gone", Code.Unavailable);
        yield checkpoint();
        yield text;
        yield succeeded;
      },
    });
    const { status } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(status).toBe(0);
    expect(requestIds).toHaveLength(3);
    expect(new Set(requestIds).size).toBe(1);
  });

  it("exits 3 within seconds where nothing listens, and tells how to join all the same", async () => {
    const service = await startServiceDouble({});
    await service[Symbol.asyncDispose]();
    const began = performance.now();
    const { status, stdout, stderr } = await runCommand(["run", "--url", service.url, "repair it"]);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
    expect(stderr).toMatch(/^No connection \(UNAVAILABLE: connect ECONNREFUSED/);
    expect(stderr).toMatch(/The same command with --request-id \S+ joins the turn/);
  });

  it("ends quietly where nobody reads stdout any more", async () => {
    const left = Promise.withResolvers<void>();
    await using service = await startServiceDouble({
      async *runTurn(_request, { signal }) {
        signal.addEventListener("abort", () => left.resolve());
        yield checkpoint();
        while (!signal.aborted) yield response({ case: "text", value: { text: "x".repeat(9999) } });
      },
    });
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "x");
    command.process.stdout?.destroy();
    await new Promise<void>((resolve) => command.process.on("exit", () => resolve()));
    await left.promise;
    expect(command.process.exitCode).toBe(130);
  });
});

describe("attach", () => {
  it("asks for what follows a sequence and tells how an ended turn ended", async () => {
    const asked: number[] = [];
    await using service = await startServiceDouble({
      async *attachTurn({ afterSequence }) {
        asked.push(afterSequence);
        yield checkpoint(TurnState.LOST, 7);
      },
    });
    const ended = await runCommand(["attach", "--url", service.url, TURN_ID, "--after", "7"]);
    expect(asked).toEqual([7]);
    expect(ended).toMatchObject({ status: 1, stdout: "The turn had ended: lost\n" });
  });
});
