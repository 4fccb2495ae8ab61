import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findHead } from "../../src/audit/head.ts";
import { toSyslog } from "../../src/audit/head-destinations.ts";
import { HeadPublisher } from "../../src/audit/head-publisher.ts";
import { isDatagramSocket, sendUnixDatagram } from "../../src/audit/unix-datagram.ts";
import { createLog } from "../../src/log.ts";
import { eventually } from "../support/processes.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { chainOf, KEY } from "./chains.ts";

/** A syslogd: prints what it reads, a line each, once it is told to by a line on its stdin. */
const RECEIVER = `
import os, socket, sys
path = sys.argv[1]
taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
taker.bind(path)
print("ready", flush=True)
sys.stdin.readline()
while True:
    print(taker.recv(65536).decode(), flush=True)
`;

const chain = chainOf(Array.from({ length: 99 }, () => ({ kind: "turn_ended" as const })));

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-syslog-"));
  path = join(folder, "log");
});
afterEach(() => rm(folder, { recursive: true }));

/** Starts one at the path, as a syslogd that is started anew does: what was there before is no more. */
async function startReceiver(reads = true) {
  rmSync(path, { force: true });
  const child = spawn("python3", ["-c", RECEIVER, path], { stdio: ["pipe", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  expect(
    await eventually(
      () => lines,
      ({ length }) => length === 1,
    ),
  ).toEqual(["ready"]);
  const received = () => lines.slice(1);
  const read = () => child.stdin.write("\n");
  if (reads) read();
  return {
    received,
    read,
    async [Symbol.asyncDispose]() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A publisher of a chain that stands where a test says. */
function publishing() {
  const told: string[] = [];
  const state = { at: 0 };
  const publisher = new HeadPublisher({
    head: async () => chain[state.at - 1],
    key: () => KEY,
    destinations: [toSyslog({ protocol: "unix", host: path, port: 0 })],
    everyMs: 3_600_000,
    log: createLog((line) => void told.push(line)),
  });
  const publish = async (at: number) => {
    state.at = at;
    await publisher.publish();
  };
  return { publisher, publish, told };
}

const sequences = (lines: readonly string[]) => lines.map((line) => findHead(line)!.sequence);

const isLinux = process.platform === "linux";
const lack = isLinux ? "" : " (left out: the calls of the system that it makes are Linux')";

describe.skipIf(!isLinux)(`heads for a datagram socket, as /dev/log is${lack}`, () => {
  it("come as a machine's own syslog has them, also through a link", async () => {
    await using receiver = await startReceiver();
    await symlink(path, join(folder, "link"));
    expect(isDatagramSocket(join(folder, "link"))).toBe(true);
    const { publisher, publish } = publishing();
    await publish(4);
    const lines = await eventually(receiver.received, ({ length }) => length === 1);
    expect(sequences(lines)).toEqual([4]);
    expect(lines[0]).toMatch(
      /^<109>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d breakglass\[\d+\]: audit-head \{/,
    );
    await publisher.end();
  });

  it("go to a syslogd that was started anew, and what failed is told once", async () => {
    const { publisher, publish, told } = publishing();
    {
      await using first = await startReceiver();
      await publish(1);
      await eventually(first.received, ({ length }) => length === 1);
    }
    await publish(2);
    await eventually(
      () => told,
      ({ length }) => length > 0,
    );
    await publish(3);
    await using second = await startReceiver();
    expect(sequences(await eventually(second.received, ({ length }) => length === 1))).toEqual([3]);
    const messages = await eventually(
      () => told.map((line) => JSON.parse(line).message),
      ({ length }) => length === 2,
    );
    expect(messages).toEqual([
      "the audit's heads are not taken",
      "the audit's heads are taken again",
    ]);
    expect(JSON.parse(told[0]!).to).toBe(path);
    await publisher.end();
  });

  it("wait for nobody who does not read, and come once that one does", async () => {
    await using receiver = await startReceiver(false);
    // The kernel keeps ten or so, or as many as have room.
    expect(() => {
      for (let n = 0; n < 10_000; n++) sendUnixDatagram(path, Buffer.from("full"));
    }).toThrow("does not keep up");
    const { publisher, publish, told } = publishing();
    await publish(7);
    await eventually(
      () => told,
      ({ length }) => length > 0,
    );
    expect(told[0]).toContain("the audit's heads are not taken");
    receiver.read();
    const heads = await eventually(
      () => receiver.received().filter((line) => line !== "full"),
      ({ length }) => length > 0,
    );
    expect(sequences(heads)).toEqual([7]);
    await publisher.end();
  });

  it("that are not taken leave no descriptor open", () => {
    const open = () => readdirSync("/proc/self/fd").length;
    const before = open();
    for (let n = 0; n < 200; n++) {
      expect(() => sendUnixDatagram(path, Buffer.from("x"))).toThrow("nobody reads there");
    }
    expect(open()).toBeLessThan(before + 20);
    const long = join(folder, "x".repeat(108));
    expect(() => sendUnixDatagram(long, Buffer.from("x"))).toThrow("longer than the 107 bytes");
  });

  it("come from a server, and one whose Node cannot send them does not start", async () => {
    await using receiver = await startReceiver();
    await using environment = await createTestEnvironment({
      BREAKGLASS_AUDIT_HEADS_SYSLOG: `unix:${path}`,
      BREAKGLASS_AUDIT_HEAD_SECONDS: "1",
    });
    {
      await using _server = await startServeProcess(environment.variables);
      await eventually(receiver.received, ({ length }) => length > 0);
    }
    expect(sequences(receiver.received()).length).toBeGreaterThan(0);
    const without = ["env", "NODE_OPTIONS=--no-experimental-ffi"];
    await expect(startServeProcess(environment.variables, without)).rejects.toThrow(
      `BREAKGLASS_AUDIT_HEADS_SYSLOG is unix:${path}, a datagram socket, which this Node cannot send to`,
    );
  });
});
