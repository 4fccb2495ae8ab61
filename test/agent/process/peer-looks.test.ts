import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PeerLooks } from "../../../src/agent/process/peer-looks.ts";
import { ProcessLooks } from "../../../src/agent/process/process-looks.ts";
import type { TcpEnds } from "../../../src/agent/process/tcp-owners.ts";
import { PROCESS_ID_VARIABLE } from "../../../src/config/environment.ts";
import { eventually } from "../../support/processes.ts";

const isRoot = process.getuid?.() === 0;

const lack =
  process.platform === "linux" ? "" : " (left out: only Linux tells whose a connection is)";
const noUsers = isRoot ? "" : " (left out: it takes root to be another user)";

describe.skipIf(process.platform !== "linux")(`PeerLooks${lack}`, () => {
  const looks = new PeerLooks(new ProcessLooks());
  let server: Server;
  let children: ChildProcess[];
  let sockets: Socket[];
  beforeEach(async () => {
    children = [];
    sockets = [];
    server = createServer((socket) => socket.on("error", () => {})).listen(0, "::");
    await once(server, "listening");
  });
  afterEach(() => {
    for (const child of children) if (child.pid !== undefined) kill(-child.pid);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  /** A process that connects and stays; what it is marked with, and the ends of its connection. */
  async function connected(script = "sleep 600", host = "127.0.0.1", uid = 0) {
    const { port } = server.address() as AddressInfo;
    const processId = randomUUID();
    const env = { PATH: process.env.PATH ?? "", [PROCESS_ID_VARIABLE]: processId };
    const program = `exec 3<>/dev/tcp/${host}/${port}; ${script}`;
    const user = uid === 0 ? {} : { uid, gid: uid };
    const child = spawn("bash", ["-c", program], { env, detached: true, cwd: "/", ...user });
    children.push(child);
    const [socket] = (await once(server, "connection")) as [Socket];
    sockets.push(socket);
    const ends: TcpEnds = {
      address: socket.remoteAddress!,
      port: socket.remotePort!,
      serverAddress: socket.localAddress!,
      serverPort: socket.localPort!,
    };
    return { processId, ends, child, socket };
  }
  const family = (processId: string) => ({ processId, known: [], cgroup: undefined });
  const found = (ends: TcpEnds, families: string[]) =>
    looks.answer({ ends: [ends], families: families.map(family) }).found?.[0];

  it.each(["127.0.0.1", "::1", "::ffff:127.0.0.1"])(
    "tells an agent's from others, at %s",
    async (host) => {
      const [one, other] = [await connected(undefined, host), await connected(undefined, host)];
      expect(found(one.ends, [one.processId])).toEqual({
        holder: "agent",
        processId: one.processId,
      });
      expect(found(other.ends, [one.processId])).toEqual({
        holder: "other",
        uid: process.getuid?.(),
      });
      expect(found(one.ends, [])).toEqual({ holder: "other", uid: process.getuid?.() });
    },
  );

  it("answers for many by one reading, each its own", async () => {
    const all = [];
    for (let n = 0; n < 5; n++) all.push(await connected());
    const answer = looks.answer({
      ends: all.map(({ ends }) => ends),
      families: [family(all[1]!.processId), family(all[3]!.processId)],
    });
    expect(answer.found?.map(({ holder }) => holder)).toEqual([
      "other",
      "agent",
      "other",
      "agent",
      "other",
    ]);
    expect(answer.members.map((members) => members.map(([pid]) => pid))).toEqual(
      [[all[1]!.child.pid], [all[3]!.child.pid]].map((pids) => expect.arrayContaining(pids)),
    );
  });

  it("does not know whose a connection is whose client is gone", async () => {
    const { ends, child, socket } = await connected();
    const ended = once(socket.resume(), "end");
    child.kill("SIGKILL");
    await ended;
    // The server's end is still open.
    expect(found(ends, [])).toEqual({ holder: "unknown" });
    expect(found(ends, [randomUUID()])).toEqual({ holder: "unknown" });
  });

  it("takes a daemon for the agent's that it has seen before, without mark and parent", async () => {
    const script = "env -i setsid sleep 600 & wait";
    const { ends, processId, child } = await connected(`exec 4>&1; ${script}`);
    const seen = await eventually(
      () => looks.answer({ ends: [ends], families: [family(processId)] }).members[0]!,
      (members) => members.length >= 2,
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    const known = { processId, known: seen, cgroup: undefined };
    expect(looks.answer({ ends: [ends], families: [known] }).found).toEqual([
      { holder: "agent", processId },
    ]);
  });

  it("takes nobody for another who hands the connection from child to child faster than anyone looks", async () => {
    // Each parent ends as soon as it has a child; the last one a while later.
    const chain = "my $end = time + 4; while (time < $end) { exit if fork } sleep 600";
    const { ends, processId } = await connected(`exec perl -e '${chain}'`);
    const holders = [];
    for (let look = 0; look < 20; look++) holders.push(found(ends, [processId])?.holder);
    expect(holders).not.toContain("other");
  });

  it.skipIf(!isRoot)(`tells the user of a connection${noUsers}`, async () => {
    const { ends } = await connected(undefined, undefined, 65_534);
    expect(found(ends, [])).toEqual({ holder: "other", uid: 65_534 });
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
