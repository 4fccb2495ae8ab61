import { once } from "node:events";
import { existsSync, lstatSync } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { makeCertificate } from "../security/certificate.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer } from "../support/test-server.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-socket-"));
  path = join(folder, "socket");
});
afterEach(() => rm(folder, { recursive: true }));

const listening = (more: Readonly<Record<string, string>> = {}) =>
  startTestServer({ BREAKGLASS_LISTEN: `unix:${path}`, ...more });

/** Calls over plain HTTP; answers the status and the body. */
async function post(method: string, host = "localhost"): Promise<[number | undefined, string]> {
  const headers = { host, "content-type": "application/json" };
  const target = `/breakglass.v1.BreakglassService/${method}`;
  const call = request({ socketPath: path, method: "POST", path: target, headers });
  call.end("{}");
  const [response] = await once(call, "response");
  return [response.statusCode, await text(response)];
}

describe("a server on a socket in the file system", () => {
  it("is called by that URL, over many connections at a time, and removes the socket", async () => {
    await using server = await listening();
    expect(server.url).toBe(`unix:${path}`);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    const connections = Array.from({ length: 20 }, () => openGrpcConnection(server.url, undefined));
    const clients = connections.map(({ transport }) => createBreakglassClient(transport));
    const run = async (index: number) => {
      const kinds: (string | undefined)[] = [];
      for await (const event of clients[index]!.runTurn({ prompt: "result" })) {
        kinds.push(event.event?.kind.case);
      }
      return kinds.at(-1);
    };
    const ends = await Promise.all(clients.slice(0, 3).map((_, index) => run(index)));
    expect(ends).toEqual(["result", "result", "result"]);
    const lists = await Promise.all(clients.map((client) => client.listSessions({})));
    expect(lists.every(({ sessions }) => sessions.length === 3)).toBe(true);
    for (const { close } of connections) close();
    expect(await post("ListSessions")).toEqual([200, expect.stringContaining("sessions")]);
    await server.drain();
    expect(existsSync(path)).toBe(false);
  });

  it("goes by the names of loopback, and those that are set", async () => {
    await using _ = await listening({ BREAKGLASS_ALLOWED_HOSTS: "ops.example" });
    const statuses = [];
    for (const host of ["localhost", "localhost:9000", "127.0.0.1", "ops.example", "evil.example"])
      statuses.push((await post("ListSessions", host))[0]);
    expect(statuses).toEqual([200, 200, 200, 200, 403]);
  });

  it("lets the group in where that is set", async () => {
    await using _ = await listening({ BREAKGLASS_SOCKET_MODE: "0660" });
    expect(lstatSync(path).mode & 0o777).toBe(0o660);
  });

  it("takes the place of one that was killed", async () => {
    await using environment = await createTestEnvironment({ BREAKGLASS_LISTEN: `unix:${path}` });
    await using killed = await startServeProcess(environment.variables);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    await killed.end("SIGKILL");
    expect(existsSync(path)).toBe(true);
    await using server = await startServeProcess(environment.variables);
    expect((await post("ListSessions"))[0]).toBe(200);
    expect(await server.end("SIGTERM")).toBe(0);
    expect(existsSync(path)).toBe(false);
  });
});

describe("a start is refused in words", () => {
  it("where another server listens", async () => {
    await using server = await listening();
    await expect(listening()).rejects.toThrow("another server listens there already");
    expect((await post("ListSessions"))[0]).toBe(200);
    await server.drain();
  });

  it("where something else is in the socket's place, which stays", async () => {
    await writeFile(path, "mine");
    await expect(listening()).rejects.toThrow("something that is no socket is there");
    expect(existsSync(path)).toBe(true);
  });

  it("where others could put their own in its place", async () => {
    await chmod(folder, 0o777);
    await expect(listening()).rejects.toThrow(`chmod go-w ${folder}`);
  });

  it("where its directory is not there", async () => {
    path = join(folder, "none", "socket");
    await expect(listening()).rejects.toThrow(`${join(folder, "none")} is no directory`);
  });

  it("where its path is longer than the kernel takes", async () => {
    path = join(folder, "a".repeat(108 - folder.length));
    await expect(listening()).rejects.toThrow("at most 107 bytes");
    path = path.slice(0, 107);
    await using _ = await listening();
    expect((await post("ListSessions"))[0]).toBe(200);
  });

  it("where there is to be TLS", async () => {
    await expect(listening(makeCertificate(folder))).rejects.toThrow("takes no TLS");
  });

  it("where a listener of no HTTP is there, which stays", async () => {
    const other = createServer().listen(path);
    await once(other, "listening");
    await expect(listening()).rejects.toThrow("another server listens there already");
    other.close();
  });
});
