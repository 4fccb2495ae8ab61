import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import type {
  ListTurnsRequest,
  RunTurnRequest,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { TurnOrigin } from "../../gen/breakglass/v1/turn_pb.ts";
import { eventually } from "../support/processes.ts";
import { startTestServer } from "../support/test-server.ts";
import { runCommand, startCommand } from "./run-command.ts";
import { SESSION_ID, startServiceDouble, TURN_ID } from "./service-double.ts";

const ask = (command: string) => `ask Bash ${JSON.stringify({ command })}`;
const idsIn = (stderr: string) => ({
  turnId: /^turn (\S+)$/m.exec(stderr)?.[1] ?? "",
  sessionId: /^session (\S+)$/m.exec(stderr)?.[1] ?? "",
});

describe("turns without a session", () => {
  it("asks for states, a time and a number of them as the options say", async () => {
    const asked: ListTurnsRequest[] = [];
    await using service = await startServiceDouble({
      listTurns(request) {
        asked.push(request);
        const turns = Array.from({ length: 5 }, () => ({ turnId: randomUUID() }));
        return { turns, nextPageToken: String(asked.length) };
      },
    });
    const at = ["--url", service.url];
    const options = [
      "--state",
      "running,awaiting-approval",
      "--state",
      "LOST",
      "--since",
      "2026-01-02",
      ...[
        "--until",
        "2026-02-03",
        "--principal",
        "bob",
        "--origin",
        "agent",
        "--grep",
        "the gateway",
      ],
    ];
    const { stdout } = await runCommand(["turns", ...at, ...options, "--limit", "7"]);
    expect(stdout.trim().split("\n")).toHaveLength(7);
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({
      sessionId: "",
      pageSize: 7,
      states: [TurnState.RUNNING, TurnState.AWAITING_APPROVAL, TurnState.LOST],
      since: timestampFromMs(Date.UTC(2026, 0, 2)),
      until: timestampFromMs(Date.UTC(2026, 1, 3)),
      principal: "bob",
      origin: TurnOrigin.AGENT,
      query: "the gateway",
    });
    const before = Date.now() - 2 * 3_600_000;
    await runCommand(["turns", ...at, "--since", "2h", "--limit", "1"]);
    const since = Number(asked.at(-1)?.since?.seconds) * 1000;
    expect(Math.abs(since - before)).toBeLessThan(60_000);
  });

  it.each([
    [["--state", "gone"], "awaiting-approval"],
    [["--since", "yesterday"], "2h, 7d"],
    [["--limit", "0"], "whole number from 1"],
    [["--until", "soon"], "2h, 7d"],
    [["--origin", "me"], "caller, agent"],
  ])("refuses %j and says what it takes", async (args, message) => {
    const ended = await runCommand(["turns", ...args]);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr).toContain(message);
  });
});

describe("a list with nothing in it", () => {
  it.each([
    [["sessions"], "No sessions.\n"],
    [["turns"], "No turns.\n"],
    [["turns", SESSION_ID], "No turns.\n"],
    [["turns", "--state", "lost"], "No such turns.\n"],
    [["approvals"], "Nothing waits for an approval.\n"],
    [["costs"], "No turns, no costs.\n"],
    [["turns", "--json"], ""],
  ])("of %j says so", async (args, stderr) => {
    await using service = await startServiceDouble({
      listTurns: () => ({}),
      listSessions: () => ({}),
      listApprovals: () => ({}),
    });
    const ended = await runCommand([...args, "--url", service.url]);
    expect(ended).toEqual({ status: 0, stdout: "", stderr });
  });
});

describe("the beginning of an id", () => {
  it("names a turn, a session or an approval in every command that takes one", async () => {
    await using server = await startTestServer();
    const at = ["--url", server.url];
    const first = idsIn((await runCommand(["run", ...at, "say first"])).stderr);
    const short = first.sessionId.slice(0, 8);
    const next = await runCommand(["run", ...at, "--session", short, "say next"]);
    expect(idsIn(next.stderr).sessionId).toBe(first.sessionId);
    const turn = first.turnId.slice(0, 20).toUpperCase();
    expect((await runCommand(["attach", ...at, turn])).stdout).toContain("first");
    expect((await runCommand(["show", ...at, turn])).stdout).toContain("« say first »");
    expect((await runCommand(["export", ...at, turn])).stdout).toContain("> first");
    expect((await runCommand(["cancel", ...at, turn])).stdout).toBe("succeeded\n");
    expect((await runCommand(["interrupt", ...at, turn])).stdout).toBe("succeeded\n");
    expect((await runCommand(["turns", ...at, short])).stdout.trim().split("\n")).toHaveLength(2);
    const waiting = startCommand(["run", ...at, "--session", short, "--ask", ask("ls")]);
    await waiting.printed("stdout", "--message TEXT");
    const listed = await runCommand(["approvals", ...at, "--json"]);
    const { event } = JSON.parse(listed.stdout);
    const approval = event.approvalRequest.approvalId.slice(0, 8);
    const own = event.turnId.slice(0, 30);
    expect((await runCommand(["steer", ...at, own, "say also"])).status).toBe(0);
    const unknown = await runCommand(["approve", ...at, own, "ffff0000"]);
    expect(unknown.stderr).toContain("no approval that waits that you may see");
    expect((await runCommand(["approve", ...at, own, approval])).stdout).toBe("allowed\n");
    await waiting.ended;
    expect((await runCommand(["delete", ...at, short])).stdout).toBe(
      `deleted ${first.sessionId}\n`,
    );
    expect((await runCommand(["turns", ...at])).stderr).toBe("No turns.\n");
  });

  it("is refused with 2 where more than one begins so, or none", async () => {
    const ids = ["01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"];
    await using service = await startServiceDouble({
      listTurns: () => ({ turns: ids.map((turnId) => ({ turnId })) }),
    });
    const at = ["--url", service.url];
    const both = await runCommand(["attach", ...at, "01890a5d"]);
    expect(both).toMatchObject({ status: 2, stdout: "" });
    expect(both.stderr).toBe(
      `breakglass: 01890a5d begins the ids of more than one turn: ${ids.join(", ")}\n`,
    );
    const none = await runCommand(["attach", ...at, "01890a5e"]);
    expect(none).toMatchObject({ status: 2 });
    expect(none.stderr).toContain("no turn that you may see has an id that begins with 01890a5e");
  });

  it("of a turn asks for no more pages than can hold it", async () => {
    const asked: ListTurnsRequest[] = [];
    await using service = await startServiceDouble({
      listTurns(request) {
        asked.push(request);
        const time = Date.UTC(2024, 0, 1) - asked.length * 3_600_000;
        return {
          turns: [
            {
              turnId: asked.length === 2 ? TURN_ID : randomUUID(),
              createTime: timestampFromMs(time),
            },
          ],
          nextPageToken: String(asked.length),
        };
      },
      getTurn: ({ turnId }) => ({ turn: { turnId } }),
      cancelTurn: ({ turnId }) => ({ turn: { turnId, state: TurnState.CANCELED } }),
    });
    // Its time: 2023-06-30.
    const { stdout } = await runCommand(["cancel", "--url", service.url, TURN_ID.slice(0, 12)]);
    expect(stdout).toBe("canceled\n");
    const since = Number(asked[0]?.since?.seconds) * 1000;
    expect(since).toBeGreaterThan(Date.UTC(2023, 5, 29));
    expect(since).toBeLessThan(Date.UTC(2023, 6, 1));
  });
});

describe("sessions", () => {
  it("shows where the last turn stands, and the first words of its prompt", async () => {
    await using server = await startTestServer();
    const at = ["--url", server.url];
    await runCommand(["run", ...at, `say ${"well ".repeat(40)}`]);
    const { stdout } = await runCommand(["sessions", ...at]);
    expect(stdout).toMatch(/ {2}succeeded {2}say well well .*…\n$/);
  });
});

describe("approvals", () => {
  it("lists what waits with the commands that answer it, and nothing else", async () => {
    await using server = await startTestServer();
    const at = ["--url", server.url];
    const waiting = startCommand(["run", ...at, "--ask", ask("rm -r /var/tmp/x")]);
    await waiting.printed("stdout", "--message TEXT");
    const { stdout } = await eventually(
      () => runCommand(["approvals", ...at]),
      (ended) => ended.stdout !== "",
    );
    expect(stdout).toMatch(/^turn \S+ of local\n\? Bash waits for an approval/);
    expect(stdout).toContain('  | {"command":"rm -r /var/tmp/x"}\n');
    expect(stdout).toMatch(/Will be denied at \S+Z \(in (9|10) min\)\./);
    const [, approve = ""] = /^ {2}breakglass (approve .*)$/m.exec(stdout) ?? [];
    expect((await runCommand(approve.split(" "))).stdout).toBe("allowed\n");
    await waiting.ended;
    const after = await runCommand(["approvals", ...at]);
    expect(after).toEqual({ status: 0, stdout: "", stderr: "Nothing waits for an approval.\n" });
  });
});

describe("watch without a session", () => {
  it("shows what goes on and what waits with the command that answers it, and who did", async () => {
    await using server = await startTestServer();
    const at = ["--url", server.url];
    const running = startCommand(["run", ...at, "--ask", `${ask("ls /tmp")}\nsay done`]);
    await running.printed("stdout", "--message TEXT");
    const watching = startCommand(["watch", ...at, "--grep", "TMP"]);
    await watching.printed("stdout", "--message TEXT");
    const listed = (await runCommand(["approvals", ...at])).stdout;
    const [line = "", approve = ""] = /^ {2}breakglass (approve .*)$/m.exec(listed) ?? [];
    const toldOfItsEnd = watching.printed("stdout", "ended  ");
    expect((await runCommand(approve.split(" "))).stdout).toBe("allowed\n");
    await toldOfItsEnd;
    watching.process.kill("SIGINT");
    const { status, stdout, stderr } = await watching.ended;
    expect(status).toBe(130);
    const id = /now {6}(\S+)/.exec(stdout)?.[1] ?? "none";
    expect(stdout).toMatch(
      new RegExp(
        `^\\S+Z  now      ${id}  awaiting approval  ask Bash [^\n]*\nturn ${id} of local\n\\? Bash waits for an approval`,
      ),
    );
    expect(stdout).toContain(line);
    expect(stdout).toMatch(new RegExp(`Z  decided  ${id}  \\? Allowed by local`));
    expect(stdout).toMatch(new RegExp(`Z  ended    ${id}  succeeded `));
    expect(stderr).toMatch(/Watch again: breakglass watch --url \S+ --after \d+ --grep TMP\n/);
    await running.ended;
    const again = startCommand(["watch", ...at, "--json", "--after", "2"]);
    await again.printed("stdout", "caughtUp");
    again.process.kill("SIGINT");
    const lines = (await again.ended).stdout.trim().split("\n");
    const kinds = lines.map((line) =>
      Object.keys(JSON.parse(line)).find((key) => key !== "cursor"),
    );
    expect(kinds).toEqual([
      ...["turnChanged", "approvalRequested", "approvalResolved", "turnChanged", "turnEnded"],
      "caughtUp",
    ]);
  });

  it("takes filters, which a session's watch does not", async () => {
    const ended = await runCommand(["watch", SESSION_ID, "--grep", "x", "--principal", "bob"]);
    expect(ended).toMatchObject({ status: 2, stdout: "" });
    expect(ended.stderr).toContain("leave out --principal, --grep");
  });
});

describe("costs", () => {
  const turn = (day: number, principal: string, usd: number) => ({
    turnId: randomUUID(),
    sessionId: `session of ${principal}`,
    principal,
    createTime: timestampFromMs(Date.UTC(2026, 0, day, 23)),
    totalCostUsd: usd,
    usage: { inputTokens: 10n, cacheReadInputTokens: 5n, outputTokens: 1n },
  });
  const turns = [turn(3, "alice", 0.5), turn(2, "bob", 1), turn(2, "alice", 0.25)];

  it.each([
    [
      [],
      "2026-01-03  $0.5000  1 turn  15 tokens in  1 out\n2026-01-02  $1.2500  2 turns  30 tokens in  2 out\n",
    ],
    [
      ["--by", "principal"],
      "bob  $1.0000  1 turn  15 tokens in  1 out\nalice  $0.7500  2 turns  30 tokens in  2 out\n",
    ],
    [
      ["--by", "session"],
      "session of bob  $1.0000  1 turn  15 tokens in  1 out\nsession of alice  $0.7500  2 turns  30 tokens in  2 out\n",
    ],
  ])("puts turns together %j", async (args, text) => {
    await using service = await startServiceDouble({ listTurns: () => ({ turns }) });
    const { stdout } = await runCommand(["costs", ...args, "--url", service.url]);
    expect(stdout).toBe(`${text}in all  $1.7500  3 turns  45 tokens in  3 out\n`);
  });

  it("tells what is left of the day, and what a turn may use, where that is limited", async () => {
    const spending = {
      ...{ costUsd: 1.25, maxCostUsd: 5, modelTurns: 12n, maxModelTurns: 10n },
      ...{ maxTurnCostUsd: 2, maxTurnModelTurns: 50n },
    };
    await using service = await startServiceDouble({
      listTurns: () => ({ turns: turns.slice(0, 1) }),
      getSpending: () => ({ spending }),
    });
    const { stdout } = await runCommand(["costs", "--url", service.url]);
    expect(stdout.split("\n").slice(1)).toEqual([
      "today (UTC)  $1.2500 of $5.0000  $3.7500 left",
      "today (UTC)  12 of 10 calls of the model  0 left",
      "a turn may cost $2.0000",
      "a turn may call the model 50 times",
      "",
    ]);
    const json = await runCommand(["costs", "--json", "--url", service.url]);
    const lines = json.stdout.trim().split("\n");
    expect(JSON.parse(lines[1] ?? "")).toMatchObject({ today: { costUsd: 1.25, maxCostUsd: 5 } });
  });

  it("are limited by run as its options say", async () => {
    const asked: RunTurnRequest[] = [];
    await using service = await startServiceDouble({
      // biome-ignore lint/correctness/useYield: it is refused.
      async *runTurn(request) {
        asked.push(request);
        throw new ConnectError("no", Code.InvalidArgument);
      },
    });
    const limits = ["--max-cost", "2.50", "--max-model-turns", "3"];
    await runCommand(["run", ...limits, "look", "--url", service.url]);
    expect(asked).toMatchObject([{ maxCostUsd: 2.5, maxModelTurns: 3 }]);
    for (const wrong of [
      ["--max-cost", "0"],
      ["--max-cost", "much"],
      ["--max-model-turns", "0"],
    ]) {
      const { status, stderr } = await runCommand(["run", ...wrong, "look"]);
      expect(status).toBe(2);
      expect(stderr).toMatch(/It takes (an amount of US dollars|a whole number)/);
    }
  });
});
