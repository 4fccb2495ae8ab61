import { readFileSync } from "node:fs";
import { Writable } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { TextPieces } from "../../clients/typescript/src/text-pieces.ts";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { allPages, printList } from "../../src/commands/list-pages.ts";
import { openTerminal } from "../../src/commands/terminal.ts";
import { print } from "../../src/commands/terminal-text.ts";
import { type RunningCommand, runCommand, startCommand } from "../commands/run-command.ts";
import {
  checkpoint,
  response,
  SESSION_ID,
  startServiceDouble,
  TURN_ID,
} from "../commands/service-double.ts";
import { type BREAKAGES, startBrokenServer } from "./broken-streams.ts";

type Time = MessageInitShape<typeof TimestampSchema>;
type Turn = MessageInitShape<typeof TurnSchema>;

const succeeded = response({ case: "result", value: {} }, 2);
const said = (text: string, sequence: number) =>
  response({ case: "text", value: { text, messageId: "m" } }, sequence);

/** The most memory that a process had, in bytes. */
function watchMemory({ process: { pid } }: RunningCommand): () => number {
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      clearInterval(timer);
    }
  }, 20);
  return () => {
    clearInterval(timer);
    return peak;
  };
}

describe.concurrent("a time that is none", () => {
  const TIMES: readonly [string, Time | undefined][] = [
    ["missing", undefined],
    ["before 1970", { seconds: -62_135_596_801n }],
    ["after the year 9999", { seconds: 253_402_300_800n }],
    ["beyond every clock", { seconds: 9_223_372_036_854_775_807n }],
    ["with nanoseconds below 0", { seconds: 1n, nanos: -1 }],
    ["with nanoseconds of more than a second", { seconds: 1n, nanos: 2_000_000_000 }],
  ];

  /** What has a time, of each sort that is none. */
  const turns = TIMES.map(([what, time]): Turn => {
    const times = time === undefined ? {} : { createTime: time, endTime: time };
    return { turnId: TURN_ID, state: TurnState.SUCCEEDED, prompt: what, ...times };
  });
  const sessions = TIMES.map(([, time]) => ({ sessionId: SESSION_ID, lastActiveTime: time }));
  const approvals = TIMES.map(([, time], index) => {
    const value = { approvalId: `A${index}`, name: "Bash", inputJson: "{}", expireTime: time };
    const { event } = response({ case: "approvalRequest", value }, index + 1);
    return { event: { ...event, createTime: time } };
  });
  const service: Parameters<typeof startServiceDouble>[0] = {
    listTurns: () => ({ turns }),
    listSessions: () => ({ sessions }),
    async *attachTurn() {
      yield checkpoint();
      yield* approvals;
      yield response({ case: "result", value: {} }, TIMES.length + 1);
    },
  };

  it.each<[string, string[], (stdout: string) => void]>([
    [
      "a list of turns",
      ["turns", SESSION_ID],
      (stdout) =>
        expect(stdout).toBe(
          TIMES.map(([what]) => `${TURN_ID}  unknown  succeeded  ${what}\n`).join(""),
        ),
    ],
    [
      "a list of sessions",
      ["sessions"],
      (stdout) => {
        const lines = stdout.trimEnd().split("\n");
        expect(lines).toHaveLength(TIMES.length);
        for (const line of lines) expect(line).toContain(`${SESSION_ID}  unknown  0 turns`);
      },
    ],
    [
      "a list of turns in JSON",
      ["turns", "--json", SESSION_ID],
      (stdout) =>
        expect(objectsOf(stdout)).toMatchObject(
          TIMES.map(([prompt]) => ({ turnId: TURN_ID, prompt })),
        ),
    ],
    [
      "approvals",
      ["attach", TURN_ID],
      (stdout) => {
        expect(stdout.match(/Answer with one of:/g)).toHaveLength(TIMES.length);
        expect(stdout).not.toContain("(in ");
      },
    ],
    [
      "approvals in JSON",
      ["attach", "--json", TURN_ID],
      (stdout) =>
        expect(objectsOf(stdout).slice(1, -1)).toMatchObject(
          TIMES.map((_, index) => ({
            sequence: index + 1,
            approvalRequest: { approvalId: `A${index}` },
          })),
        ),
    ],
  ])("is unknown, and no failure, in %s", async (_where, args, expectAll) => {
    await using double = await startServiceDouble(service);
    const { status, stdout, stderr } = await runCommand([...args, "--url", double.url]);
    expectAll(stdout);
    expect(status).toBe(0);
    if (args[0] !== "attach") expect(stderr).toBe("");
  });
});

/** What `--json` printed, an object a line. */
function objectsOf(stdout: string): { [name: string]: { text?: string } | undefined }[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe.concurrent("an answer that lacks what is always set", () => {
  it("is an answer whose rest counts: no turn, no state, a state of another version", async () => {
    await using service = await startServiceDouble({
      cancelTurn: ({ turnId }) =>
        turnId === "none" ? {} : { turn: { turnId, state: 99 as TurnState } },
      listTurns: () => ({
        turns: [{}, { turnId: TURN_ID, state: 99 as TurnState, totalCostUsd: Number.NaN }],
      }),
    });
    const at = ["--url", service.url];
    expect(await runCommand(["cancel", ...at, "none"])).toEqual({
      status: 0,
      stdout: "unknown\n",
      stderr: "",
    });
    expect(await runCommand(["cancel", ...at, "x"])).toMatchObject({ status: 0, stdout: "99\n" });
    const turns = await runCommand(["turns", ...at, SESSION_ID]);
    expect(turns).toMatchObject({
      status: 0,
      stdout: `  unknown  unknown\n${TURN_ID}  unknown  99\n`,
    });
  });

  it("of a turn that is said to have ended, and not how, is no success and no failure of the turn", async () => {
    await using service = await startServiceDouble({
      async *attachTurn() {
        yield checkpoint(TurnState.UNSPECIFIED);
      },
    });
    const ended = await runCommand(["attach", "--url", service.url, TURN_ID]);
    expect(ended.status).toBe(3);
    expect(ended.stderr).toContain("The server said that the turn has ended, and not how.\n");
  });
});

describe.concurrent("a list that does not end", () => {
  it.each([
    ["gives one token for ever", () => "again"],
    [
      "goes round in a circle",
      (pageToken: string) => ({ "": "a", a: "b", b: "c" })[pageToken] ?? "a",
    ],
  ])("is left with 3 where it %s", async (_what, next) => {
    let calls = 0;
    await using service = await startServiceDouble({
      listSessions({ pageToken }) {
        calls++;
        return { sessions: [{ sessionId: SESSION_ID }], nextPageToken: next(pageToken) };
      },
      listTurns({ pageToken }) {
        calls++;
        return { turns: [], nextPageToken: next(pageToken) };
      },
    });
    for (const args of [["sessions"], ["turns", SESSION_ID]]) {
      const { status, stderr } = await runCommand([...args, "--url", service.url]);
      expect(stderr).toBe(
        `breakglass: ${service.url}: the list does not end: the server gave a page token twice\n`,
      );
      expect(status).toBe(3);
    }
    expect(calls).toBeLessThan(20);
  });

  it("is left where its tokens are new for ever, and nothing is on its pages", async () => {
    let calls = 0;
    await using service = await startServiceDouble({
      listSessions: () => ({ nextPageToken: String(calls++) }),
    });
    const { status, stderr } = await runCommand(["sessions", "--url", service.url]);
    expect(stderr).toContain("the list does not end: 100 pages in a row had nothing on them\n");
    expect(status).toBe(3);
    expect(calls).toBe(100);
  });

  it("is left after 10,000 pages", async () => {
    let calls = 0;
    const rows = allPages(async () => ({ items: [1], nextPageToken: String(calls++) }));
    const sink = new Writable({ write: (_piece, _encoding, done) => done() });
    const printing = { line: () => print`row\n`, none: undefined };
    const printed = printList(rows, printing, openTerminal(sink, sink, false));
    await expect(printed).rejects.toThrow("the list does not end: 10000 pages were read");
    expect(calls).toBe(10_000);
  });
});

describe.concurrent("a stream in disorder", () => {
  it("is read once and in order: events before the checkpoint, twice, backwards, empty, after the end", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        yield {};
        yield said("one", 1);
        yield checkpoint(TurnState.RUNNING, 1);
        yield said("again", 1);
        yield {};
        yield response({ case: undefined }, 2);
        yield said("three", 3);
        yield said("two", 2);
        yield said("three again", 3);
        yield response({ case: "result", value: {} }, 4);
        yield response({ case: "error", value: { message: "no" } }, 5);
        yield response({ case: "result", value: { isError: true } }, 4);
      },
    });
    const { status, stdout, stderr } = await runCommand(["run", "--url", service.url, "x"]);
    expect(stdout).toBe("one\nthree\nSucceeded\n");
    expect(stderr).toBe(`turn ${TURN_ID}\nsession ${SESSION_ID}\n`);
    expect(status).toBe(0);
  });

  it("whose events have no ids says so once, and goes on", async () => {
    await using service = await startServiceDouble({
      async *runTurn() {
        for (const sequence of [1, 2, 3]) {
          yield { event: { ...said(`${sequence}`, sequence).event, turnId: "", sessionId: "" } };
        }
        yield { event: { ...response({ case: "result", value: {} }, 4).event, turnId: "" } };
      },
    });
    const { status, stderr } = await runCommand(["run", "--url", service.url, "x"]);
    expect(status).toBe(0);
    expect(stderr.match(/^turn/gm)).toHaveLength(1);
  });

  it("with a hole in it is no success", async () => {
    await using service = await startServiceDouble({
      async *attachTurn() {
        yield checkpoint();
        yield said("one", 1);
        yield said("four", 4);
        yield response({ case: "result", value: {} }, 5);
      },
    });
    const { status, stderr } = await runCommand(["attach", "--url", service.url, TURN_ID]);
    expect(status).toBe(3);
    expect(stderr).toContain("the server went on with event 4 after 1");
  });
});

describe.concurrent("a refusal without end", () => {
  it("is told in twenty lines", async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [`key ${n}`, "x".repeat(50)]),
    );
    await using service = await startServiceDouble({
      listSessions() {
        throw new ConnectError("y".repeat(8000), Code.Internal, undefined, [
          { desc: ErrorInfoSchema, value: { reason: "R", metadata } },
        ]);
      },
    });
    const { status, stderr } = await runCommand(["sessions", "--url", service.url]);
    expect(status).toBe(3);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe("  … 281 more lines");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(1200);
  });
});

describe.concurrent("what a server sends without end costs no more than it may hold", () => {
  it.each<[keyof typeof BREAKAGES, string[], RegExp]>([
    ["a message that says it has 4 GB", ["sessions"], /RESOURCE_EXHAUSTED: .*4194304/],
    ["a message that says it has 4 GB", ["watch", "x"], /RESOURCE_EXHAUSTED: .*4194304/],
    ["a message of 1 GB in 1 MB", ["sessions"], /RESOURCE_EXHAUSTED: .*4194304/],
    ["a message of 1 GB in 1 MB", ["attach", "x"], /RESOURCE_EXHAUSTED: .*4194304/],
    ["headers without end", ["sessions"], /breakglass: http:\/\/\S+: \w+: /],
  ])("%s, to %j", async (breakage, args, message) => {
    await using server = await startBrokenServer(breakage);
    const command = startCommand([...args, "--url", server.url]);
    const peak = watchMemory(command);
    const { status, stderr } = await command.ended;
    expect(stderr).toMatch(message);
    expect(status).toBe(3);
    expect(peak()).toBeLessThan(400 * 1024 * 1024);
  });

  it("a text that is written for ever: its pieces end after 1 Mi characters, and the text comes whole", async () => {
    const piece = "x".repeat(64 * 1024);
    await using service = await startServiceDouble({
      async *runTurn() {
        yield checkpoint();
        const value = { text: piece, messageId: "m" };
        for (let n = 0; n < 200; n++) yield response({ case: "textDelta", value });
        yield said("whole", 1);
        yield response({ case: "textDelta", value: { text: "next", messageId: "m" } });
        yield succeeded;
      },
    });
    const { status, stdout } = await runCommand([
      "run",
      "--json",
      "--deltas",
      "--url",
      service.url,
      "x",
    ]);
    expect(status).toBe(0);
    const events = objectsOf(stdout);
    const deltas = events.flatMap(({ textDelta }) => textDelta?.text ?? []);
    expect(deltas.slice(0, -1).join("")).toHaveLength(1024 * 1024);
    expect(deltas.at(-1)).toBe("next");
    expect(events.filter(({ text }) => text?.text === "whole")).toHaveLength(1);
  });

  it("nor does a text that grows over connections: it goes on nowhere behind what was left out", () => {
    const pieces = new TextPieces();
    const take = (text: string) =>
      pieces.take({ $typeName: "breakglass.v1.TextDeltaEvent", messageId: "m", text })?.text ?? "";
    const whole = Array.from({ length: 300_000 }, (_, n) => `${n} `).join("");
    let delivered = "";
    for (let n = 1; n <= 10; n++) {
      pieces.reconnect();
      const length = 200_000 * n;
      delivered += take(whole.slice(0, length));
      delivered += take(whole.slice(length, length + 1000));
    }
    expect(whole.startsWith(delivered)).toBe(true);
    expect(delivered.length).toBeLessThanOrEqual(1024 * 1024);
  });
});
