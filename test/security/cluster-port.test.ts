import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ClusterProof } from "../../src/cluster/cluster-settings.ts";
import { type Credentials, readCredentials } from "../../src/cluster/credentials.ts";
import { PeerConnections } from "../../src/cluster/peer-connections.ts";
import { listenForPeers, type PeerListener } from "../../src/cluster/peer-listener.ts";
import { createLog } from "../../src/log.ts";
import { eventually } from "../support/processes.ts";
import { type Authority, createAuthority, type Pair } from "./client-certificates.ts";
import { fields, frame, PREFACE } from "./raw-requests.ts";

const BOTH = { usage: "serverAuth,clientAuth" };
const NAME = ["DNS:replica.breakglass"];

let directory: string;
let authority: Authority;
let stranger: Authority;
let secretProof: ClusterProof;
let secret: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "breakglass-"));
  authority = createAuthority(directory, "authority");
  stranger = createAuthority(directory, "stranger");
  secret = randomBytes(32).toString("hex");
  secretProof = { kind: "secret", file: fileOf("secret", secret) };
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileOf(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

let made = 0;
/** What a replica is set to that shows a certificate. */
function proofOf({ cert, key }: Pair, ca = authority, peers: readonly string[] = []): ClusterProof {
  const number = made++;
  const files = { cert: fileOf(`${number}.pem`, cert), key: fileOf(`${number}.key`, key) };
  return { kind: "certificates", files, ca: ca.path, peers };
}

/** A replica's port, and what came through it. */
interface Port extends AsyncDisposable {
  readonly port: number;
  readonly listener: PeerListener;
  readonly log: string[];
  readonly answered: string[];
}

async function openPort(credentials: () => Credentials): Promise<Port> {
  const [log, answered]: [string[], string[]] = [[], []];
  const listener = await listenForPeers(
    { host: "127.0.0.1", port: 0 },
    credentials,
    (request, response) => {
      answered.push(request.url ?? "");
      response.end("hello");
    },
    createLog((line) => void log.push(line)),
  );
  return {
    ...{ port: listener.port, listener, log, answered },
    async [Symbol.asyncDispose]() {
      listener.destroy();
      await listener.close();
    },
  };
}

/** What a replica with such credentials is answered; rejects where it does not take the other for one, or is not taken. */
async function ask(port: number, credentials: Credentials): Promise<string> {
  const connections = new PeerConnections(
    () => credentials,
    createLog(() => {}),
  );
  try {
    const stream = await connections.request(`127.0.0.1:${port}`, { ":path": "/asked" });
    return await text(stream.end());
  } finally {
    connections.close();
  }
}

/** Resolves when the other end has ended a connection, with how long that took. */
async function ended(socket: Socket): Promise<number> {
  const since = performance.now();
  socket.on("error", () => {}).resume();
  await new Promise<void>((resolve) => {
    if (socket.destroyed) resolve();
    socket.once("close", () => resolve());
  });
  return performance.now() - since;
}

describe("the port for replicas that show certificates", () => {
  let own: ClusterProof;
  let port: Port;
  beforeAll(async () => {
    own = proofOf(authority.sign("/CN=one", NAME, BOTH));
    port = await openPort(() => readCredentials(own));
  });
  beforeEach(() => void port.answered.splice(0));
  afterAll(() => port[Symbol.asyncDispose]());

  it("answers another that has its name", async () => {
    const other = proofOf(authority.sign("/CN=two", NAME, BOTH));
    expect(await ask(port.port, readCredentials(other))).toBe("hello");
    expect(port.answered).toEqual(["/asked"]);
  });

  it.each([
    ["has another's name", () => authority.sign("/CN=two", ["DNS:web.example"], BOTH)],
    ["is signed by somebody else", () => stranger.sign("/CN=one", NAME, BOTH)],
    ["is over", () => authority.sign("/CN=two", NAME, { ...BOTH, days: -1 })],
    ["is a server's alone", () => authority.sign("/CN=two", NAME, { usage: "serverAuth" })],
  ])("answers nobody whose certificate %s", async (_what, sign) => {
    // It takes who listens for a replica.
    const proof = proofOf(sign(), authority, ["dns:replica.breakglass"]);
    await expect(ask(port.port, readCredentials(proof))).rejects.toThrow();
    expect(port.answered).toEqual([]);
  });

  it.each<[string, ConnectionOptions]>([
    ["no certificate", {}],
    ["an older version", { maxVersion: "TLSv1.2" }],
  ])("ends the connection of who comes with %s", async (_what, options) => {
    const socket = connectTls({
      ...{ host: "127.0.0.1", port: port.port, rejectUnauthorized: false },
      ...{ ALPNProtocols: ["h2"], ...options },
    });
    socket.on("error", () => {});
    const head = fields({
      ":method": "GET",
      ":scheme": "http",
      ":path": "/asked",
      ":authority": "x",
    });
    socket.write(Buffer.concat([PREFACE, frame(1, 5, 1, head)]));
    await ended(socket);
    expect(port.answered).toEqual([]);
  });

  it("ends who speaks HTTP/1.1, with a replica's certificate or without", async () => {
    const { cert, key } = authority.sign("/CN=two", NAME, BOTH);
    const tls = connectTls({
      host: "127.0.0.1",
      port: port.port,
      cert,
      key,
      rejectUnauthorized: false,
    });
    tls.write("GET /asked HTTP/1.1\r\nhost: x\r\n\r\n");
    const clear = connectTcp(port.port, "127.0.0.1");
    clear.write("GET /asked HTTP/1.1\r\nhost: x\r\n\r\n");
    await Promise.all([ended(tls), ended(clear)]);
    expect(port.answered).toEqual([]);
  });

  it("is not asked where who listens has another's name, or is signed by somebody else", async () => {
    const strange = proofOf(stranger.sign("/CN=one", NAME, BOTH), stranger);
    const named = proofOf(authority.sign("/CN=two", ["DNS:web.example"], BOTH), authority, [
      "dns:replica.breakglass",
    ]);
    for (const proof of [strange, named]) {
      await using other = await openPort(() => readCredentials(proof));
      await expect(ask(other.port, readCredentials(own))).rejects.toThrow();
      expect(other.answered).toEqual([]);
    }
  });

  it("lets in who has the names that are set, and nobody else", async () => {
    const pair = authority.sign("/CN=one", NAME, BOTH);
    const proof = proofOf(pair, authority, ["cn:breakglass", "uri:spiffe://x/breakglass"]);
    await using other = await openPort(() => readCredentials(proof));
    const spiffe = authority.sign("/CN=any", ["URI:spiffe://x/breakglass"], BOTH);
    const asker = (asked: Pair) => readCredentials(proofOf(asked, authority, ["cn:one"]));
    expect(await ask(other.port, asker(spiffe))).toBe("hello");
    await expect(ask(other.port, asker(pair))).rejects.toThrow();
  });

  it("shows and trusts others once its files are read again, and those who are there stay", async () => {
    let proof = proofOf(authority.sign("/CN=one", NAME, BOTH));
    await using other = await openPort(() => readCredentials(proof));
    const before = readCredentials(proof);
    expect(await ask(other.port, before)).toBe("hello");
    proof = proofOf(stranger.sign("/CN=one", NAME, BOTH), stranger);
    other.listener.renew();
    await expect(ask(other.port, before)).rejects.toThrow();
    expect(await ask(other.port, readCredentials(proof))).toBe("hello");
  });
});

describe("the port for replicas that know a secret", () => {
  let port: Port;
  let credentials: Credentials;
  beforeAll(async () => {
    credentials = readCredentials(secretProof);
    port = await openPort(() => credentials);
  });
  beforeEach(() => void port.answered.splice(0));
  afterAll(() => port[Symbol.asyncDispose]());

  it("answers another that knows it", async () => {
    expect(await ask(port.port, credentials)).toBe("hello");
  });

  it("answers nobody who knows another, or nothing", async () => {
    const other = {
      kind: "secret",
      file: fileOf("other", randomBytes(32).toString("hex")),
    } as const;
    await expect(ask(port.port, readCredentials(other))).rejects.toThrow();
    const certificate = proofOf(authority.sign("/CN=two", NAME, BOTH));
    await expect(ask(port.port, readCredentials(certificate))).rejects.toThrow();
    expect(port.answered).toEqual([]);
  });

  it("does not say it to one that listens in its place, nor to the log", async () => {
    const heard: Buffer[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => {}).on("data", (chunk: Buffer) => void heard.push(chunk));
      setTimeout(() => socket.destroy(), 200);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    await expect(ask((server.address() as AddressInfo).port, credentials)).rejects.toThrow();
    server.close();
    const all = Buffer.concat(heard);
    expect(all.length).toBeGreaterThan(50);
    expect(all.includes(secret)).toBe(false);
    expect(all.includes(Buffer.from(secret, "hex"))).toBe(false);
    expect(port.log.join("\n")).not.toContain(secret);
  });

  it("answers nothing that is said again as it was said before", async () => {
    const said: Buffer[] = [];
    const recorder = createServer((socket) => {
      const onward = connectTcp(port.port, "127.0.0.1");
      socket.on("data", (chunk: Buffer) => void said.push(chunk));
      for (const end of [socket, onward]) end.on("error", () => {});
      socket.pipe(onward).pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(recorder, "listening");
    expect(await ask((recorder.address() as AddressInfo).port, credentials)).toBe("hello");
    recorder.close();
    expect(port.answered.splice(0)).toEqual(["/asked"]);
    const again = connectTcp(port.port, "127.0.0.1");
    for (const chunk of said) again.write(chunk);
    await ended(again);
    expect(port.answered).toEqual([]);
  });
});

describe("strangers on that port", () => {
  let port: Port;
  let credentials: Credentials;
  beforeAll(async () => {
    credentials = readCredentials(secretProof);
    port = await openPort(() => credentials);
  });
  afterAll(() => port[Symbol.asyncDispose]());

  it("are ended who say nothing, or one byte at a time", async () => {
    const [silent, slow] = [1, 2].map(() => connectTcp(port.port, "127.0.0.1"));
    const writing = setInterval(() => slow!.write(Buffer.of(22)), 100);
    // The first bytes of a handshake, so that more is waited for.
    slow!.write(Buffer.of(22, 3, 1, 2, 0, 1));
    const took = await Promise.all([ended(silent!), ended(slow!)]);
    clearInterval(writing);
    for (const ms of took) expect(ms).toBeLessThan(20_000);
  });

  it("have no streams: a thousand of them in clear text are not even read", async () => {
    const head = fields({
      ":method": "GET",
      ":scheme": "http",
      ":path": "/asked",
      ":authority": "x",
    });
    const headers = Array.from({ length: 1000 }, (_, n) => frame(1, 5, 2 * n + 1, head));
    const socket = connectTcp(port.port, "127.0.0.1");
    socket.write(Buffer.concat([PREFACE, ...headers]));
    await ended(socket);
    expect(port.answered).toEqual([]);
  });

  it("keep no replica out, be they a thousand", async () => {
    const sockets = Array.from({ length: 1000 }, () => connectTcp(port.port, "127.0.0.1"));
    for (const socket of sockets) socket.on("error", () => {});
    await delay(100);
    // Those whom the kernel let wait come later, and may put out who has not proved itself by then: a replica tries again.
    const answer = await eventually(
      () => ask(port.port, credentials).catch(() => undefined),
      (said) => said !== undefined,
    );
    expect(answer).toBe("hello");
    for (const socket of sockets) socket.destroy();
  });
});

it.each([
  ["too short", "abc", 0o600],
  ["of two lines", `${"a".repeat(40)}\n${"b".repeat(40)}`, 0o600],
  ["readable by others", "a".repeat(40), 0o644],
])("a secret that is %s is refused in one line", (_what, content, mode) => {
  const path = join(directory, `refused-${mode}-${content.length}`);
  writeFileSync(path, content, { mode });
  let message = "";
  try {
    readCredentials({ kind: "secret", file: path });
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toMatch(/^BREAKGLASS_CLUSTER_SECRET_FILE is [^\n]*$/);
  expect(message).not.toContain(content);
});
