import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findHead, isSigned } from "../../src/audit/head.ts";
import {
  type HeadDestination,
  toFile,
  toLog,
  toSyslog,
  toUrl,
} from "../../src/audit/head-destinations.ts";
import { HeadPublisher } from "../../src/audit/head-publisher.ts";
import { createLog } from "../../src/log.ts";
import { eventually } from "../support/processes.ts";
import { chainOf, KEY, PUBLIC } from "./chains.ts";

const chain = chainOf(Array.from({ length: 9 }, () => ({ kind: "turn_ended" as const })));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-heads-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A publisher of a chain that stands where a test says. */
function publishing(...destinations: HeadDestination[]) {
  const lines: string[] = [];
  const state = { at: 0 };
  const publisher = new HeadPublisher({
    head: async () => chain[state.at - 1],
    key: () => KEY,
    destinations,
    everyMs: 3600_000,
    log: createLog((line) => void lines.push(line)),
  });
  return { publisher, state, lines };
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  await using server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const sequenceOf = (line: string) => {
  const head = findHead(line)!;
  expect(isSigned(head, PUBLIC)).toBe(true);
  return head.sequence;
};

describe("heads", () => {
  it("are appended to a file where there is something new, and at the end, and are found in logs", async () => {
    const file = join(folder, "heads");
    await writeFile(file, "what was there\n");
    const logged: string[] = [];
    const log = createLog((line) => void logged.push(line));
    const { publisher, state } = publishing(toFile(file), toLog(log));
    const heads = async () =>
      (await readFile(file, "utf8")).trim().split("\n").slice(1).map(sequenceOf);
    await publisher.publish();
    for (const at of [2, 2, 3]) {
      state.at = at;
      await publisher.publish();
      await eventually(heads, (found) => found.at(-1) === at);
    }
    state.at = 5;
    await publisher.end();
    expect(await heads()).toEqual([2, 3, 5]);
    expect(logged.map(sequenceOf)).toEqual([2, 3, 5]);
  });

  it("reach syslog over a stream and over UDP, by RFC 5424", async () => {
    const path = join(folder, "log");
    const received: string[] = [];
    await using stream = createServer((socket) => {
      void text(socket).then((all) => received.push(all));
    }).listen(path);
    await once(stream, "listening");
    await using socket = createSocket("udp4");
    socket.on("message", (message) => void received.push(String(message)));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    const { publisher, state } = publishing(
      toSyslog({ protocol: "unix", host: path, port: 0 }),
      toSyslog({ protocol: "udp", host: "127.0.0.1", port }),
    );
    state.at = 4;
    await publisher.end();
    await eventually(
      () => received.length,
      (count) => count === 2,
    );
    for (const line of received) {
      expect(line).toMatch(/^<109>1 \S+Z \S+ breakglass \d+ audit-head - \{/);
      expect(sequenceOf(line)).toBe(4);
    }
  });

  it("are sent again to one that did not take them, the newest alone, and hold up nobody", async () => {
    const file = join(folder, "beside");
    const bodies: string[] = [];
    let status = 500;
    await using server = createHttpServer(async (request, response) => {
      bodies.push(await text(request));
      response.writeHead(status).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const { publisher, state, lines } = publishing(toUrl(url), toFile(file));
    for (const at of [1, 2, 3]) {
      state.at = at;
      await publisher.publish();
      await eventually(
        () =>
          readFile(file, "utf8").then(
            (all) => all.split("\n").length - 1,
            () => 0,
          ),
        (count) => count === at,
      );
    }
    // It is in the file a moment before that is known.
    const [toServer, beside] = await eventually(
      () => publisher.deliveries(),
      ([, file]) => file?.lackingMs === 0,
    );
    expect(toServer).toMatchObject({ kind: "url", ageMs: undefined, why: "it answered 500" });
    expect(toServer?.failures).toBeGreaterThan(0);
    expect(toServer?.lackingMs).toBeGreaterThan(0);
    expect(beside).toMatchObject({ kind: "file", lackingMs: 0, failures: 0, why: undefined });
    expect(beside?.ageMs).toBeGreaterThanOrEqual(0);
    status = 204;
    await eventually(
      () => lines.join(""),
      (log) => log.includes("taken again"),
    );
    expect(bodies.map(sequenceOf)).toEqual([1, 3]);
    expect(publisher.deliveries()[0]).toMatchObject({ lackingMs: 0, why: undefined });
    expect(lines.join("")).toContain("it answered 500");
    await publisher.end();
  });

  it("that are not taken, or cannot be signed, are told with what went wrong", async () => {
    const { publisher, state, lines } = publishing(
      toUrl(`http://127.0.0.1:${await closedPort()}/`),
    );
    state.at = 1;
    await publisher.publish();
    const [delivery] = await eventually(
      () => publisher.deliveries(),
      ([one]) => one?.why !== undefined,
    );
    expect(delivery?.why).toBe("fetch failed: ECONNREFUSED");
    expect(lines.join("")).toContain("fetch failed: ECONNREFUSED");
    await publisher.end();
    const keyless = new HeadPublisher({
      head: async () => chain[0],
      key: () => {
        throw new Error("there is no key");
      },
      destinations: [toFile(join(folder, "keyless"))],
      everyMs: 3600_000,
      log: createLog(() => {}),
    });
    await keyless.publish();
    expect(keyless.deliveries()).toMatchObject([{ failures: 1, why: "there is no key" }]);
  });

  it("that are given up before their connection fails end nothing else", async () => {
    const given = new AbortController();
    const nobody = toSyslog({ protocol: "unix", host: join(folder, "nobody"), port: 0 });
    const sent = nobody.send("{}", given.signal);
    given.abort();
    await expect(sent).rejects.toThrow("aborted");
    // The failure comes now; whatever is heard by nobody ends the process.
    await expect(nobody.send("{}", new AbortController().signal)).rejects.toThrow("ENOENT");
  });

  it("end with the server where nobody takes them", async () => {
    await using silent = createServer(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as AddressInfo;
    const { publisher, state } = publishing(
      toUrl(`http://127.0.0.1:${port}/`),
      toFile("/nowhere/at/all"),
      toSyslog({ protocol: "unix", host: join(folder, "nobody"), port: 0 }),
    );
    state.at = 1;
    await publisher.end();
    // What is left of it would keep the test's process, and the server from closing.
    silent.close();
  });
});
