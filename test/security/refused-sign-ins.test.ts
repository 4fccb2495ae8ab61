import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { peerOf } from "../../src/edge/connection.ts";
import { RefusedSignIns } from "../../src/identity/refused-sign-ins.ts";
import { createLog } from "../../src/log.ts";
import { issuerEntry, signingKey, signToken, startIssuer } from "../support/issuer.ts";
import { STRANGER } from "../support/presented.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const LIST = "/breakglass.v1.BreakglassService/ListSessions";
const WATCH = "/breakglass.v1.BreakglassService/WatchSession";
const TURN = "/v1/turns/0198c1f0-0000-7000-8000-000000000000/events";
/** No token of anybody's may be in the log. */
const SECRET = "s3cret-of-somebody";

let environment: TestEnvironment;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let server: TestServer;
let session: ClientHttp2Session;
let wrong: Record<string, string[]>;

beforeAll(async () => {
  environment = await createTestEnvironment();
  const { root } = environment;
  const key = await signingKey("one");
  issuer = await startIssuer(key);
  const lines = [
    tokenLine("plain", "bob"),
    tokenLine(`${SECRET}-old`, "old expires=2020-01-01T00:00:00Z"),
  ];
  await writeFile(join(root, "tokens"), lines.join(""), { mode: 0o600 });
  await writeFile(join(root, "issuers"), JSON.stringify({ issuers: [issuerEntry(issuer)] }), {
    mode: 0o600,
  });
  server = await startTestServer({
    BREAKGLASS_TOKENS_FILE: join(root, "tokens"),
    BREAKGLASS_JWT_ISSUERS_FILE: join(root, "issuers"),
  });
  session = connectHttp2(server.url, { strictSingleValueFields: false } as never);
  const jwt = (claims: Record<string, unknown>) => signToken(issuer.name, key, { claims });
  wrong = {
    nothing: [],
    "a token that is not known": [`Bearer ${SECRET}`],
    "a token that has expired": [`Bearer ${SECRET}-old`],
    "no token": ["Bearer"],
    "another scheme": [`Basic ${SECRET}`],
    "two headers": ["Bearer plain", "Bearer plain"],
    "a giant token": [`Bearer ${SECRET}${"x".repeat(9000)}`],
    "a JWT that cannot be read": ["Bearer a.b.c"],
    "a JWT of another issuer": [`Bearer ${await jwt({ iss: "x" })}`],
    "a JWT for others": [`Bearer ${await jwt({ aud: "x" })}`],
    "a JWT that has expired": [`Bearer ${await jwt({ exp: 1 })}`],
  };
});
afterAll(async () => {
  session.destroy();
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

/** All that an answer says: its headers, its body, its trailers. */
async function answerTo(authorizations: readonly string[], path: string, type: string) {
  const pairs = authorizations.flatMap((value) => ["authorization", value]);
  const isRead = path === TURN;
  const stream = session.request([
    ...[":method", isRead ? "GET" : "POST", ":path", path, ":scheme", "http"],
    ...[":authority", new URL(server.url).host, "content-type", type, "te", "trailers"],
    ...pairs,
  ]);
  const seen: unknown[] = [];
  stream.on("response", ({ date: _, ...headers }) => seen.push({ ...headers }));
  stream.on("trailers", (trailers) => seen.push({ ...trailers }));
  stream.end(isRead ? undefined : "{}");
  seen.push(await text(stream));
  return JSON.stringify(seen);
}

describe("whatever is wrong with a credential", () => {
  it.each([
    ["Connect", LIST, "application/json"],
    ["a stream of Connect", WATCH, "application/connect+json"],
    ["gRPC", LIST, "application/grpc"],
    ["gRPC-Web", LIST, "application/grpc-web"],
    ["plain HTTP", TURN, "application/json"],
  ])("the answer is the same, to the letter: %s", async (_, path, type) => {
    const answers = new Map<string, string>();
    await Promise.all(
      Object.entries(wrong).map(async ([what, values]) => {
        answers.set(what, await answerTo(values, path, type));
      }),
    );
    const [first] = answers.values();
    expect(first).toMatch(
      /the request carries no credential that this server accepts|no%20credential/,
    );
    for (const [what, answer] of answers) expect([what, answer]).toEqual([what, first]);
  });

  it("the log has why and from where, once a minute each, and nothing of what was shown", async () => {
    const lines = server.log.map((line) => JSON.parse(line));
    const told = lines.filter(({ reason }) => reason === "UNAUTHENTICATED");
    const whys = told.map(({ means, why }) => `${means}: ${why}`);
    expect(new Set(whys).size).toBe(whys.length);
    expect(whys).toEqual(
      expect.arrayContaining([
        "none: it carries no credential",
        "token: its token is unknown",
        "token: its token has expired",
        "token: its authorization header is not one bearer token",
        "jwt: its issuer is not one of those that are set",
        "jwt: it has expired",
      ]),
    );
    for (const { from } of told) expect(from).toBe("127.0.0.1");
    expect(server.log.join()).not.toContain(SECRET);
  });
});

describe("a flood of wrong credentials", () => {
  it("is slowed, and holds up nobody who has a good one, from the same address", async () => {
    let answered = 0;
    const flood = Array.from({ length: 200 }, (_, index) =>
      answerTo([`Bearer ${SECRET}-${index}`], LIST, "application/json").then(() => answered++),
    );
    using honest = connect(server.url, { authorization: "Bearer plain" });
    for (let call = 0; call < 5; call++) await honest.client.listSessions({});
    // Those that came first are still waited for.
    expect(answered).toBeLessThan(200);
    await Promise.all(flood);
    const lines = server.log.filter((line) => line.includes("its token is unknown"));
    expect(lines).toHaveLength(1);
  });

  it("leaves nothing behind where who sent it does not wait", async () => {
    const { port } = new URL(server.url);
    const own = connectHttp2(`http://127.0.0.1:${port}`);
    for (let index = 0; index < 200; index++) {
      const stream = own.request({ ":method": "POST", ":path": LIST, authorization: "Bearer x" });
      stream.on("error", () => {});
      stream.end("{}");
    }
    await once(own, "connect");
    own.destroy();
    using honest = connect(server.url, { authorization: "Bearer plain" });
    await honest.client.listSessions({});
  });
});

describe("refused sign-ins", () => {
  const failure = { means: "token", why: "its token is unknown" } as const;
  const ended = () => AbortSignal.abort();

  it("are remembered of so many sources at most, of IPv6 by networks", async () => {
    const refused = new RefusedSignIns(createLog(() => {}));
    const from = (address: string) => ({
      ...failure,
      peer: { ...STRANGER, address, network: peerOf(address) },
    });
    for (let index = 0; index < 1000; index++) {
      await refused.hold(from(`2001:db8:1:1::${index.toString(16)}`), 0, ended());
    }
    expect(refused.sources).toBe(1);
    for (let index = 0; index < 10_000; index++) {
      await refused.hold(from(`10.0.${index >> 8}.${index & 255}`), 0, ended());
    }
    expect(refused.sources).toBe(4096);
  });

  it("wait longer the more there are, and others' do not", async () => {
    const refused = new RefusedSignIns(createLog(() => {}));
    const { signal } = new AbortController();
    const order: string[] = [];
    const from = (network: string) => ({ ...failure, peer: { ...STRANGER, network } });
    for (let index = 0; index < 60; index++) await refused.hold(from("a"), 0, ended());
    const now = performance.now();
    await Promise.all([
      refused.hold(from("a"), now, signal).then(() => order.push("one of many")),
      refused.hold(from("b"), now, signal).then(() => order.push("the first of another")),
    ]);
    expect(order).toEqual(["the first of another", "one of many"]);
  });

  it("are heard of, each, by who listens", async () => {
    const heard: unknown[] = [];
    const refused = new RefusedSignIns(createLog(() => {}));
    refused.listen(({ means, peer }) => heard.push([means, peer.address]));
    for (let index = 0; index < 3; index++) {
      await refused.hold({ ...failure, peer: STRANGER }, 0, ended());
    }
    expect(heard).toEqual(Array.from({ length: 3 }, () => ["token", "192.0.2.7"]));
  });
});

describe("a server that looks for changes of its tokens", () => {
  it("keeps what it had where an edit is wrong, says which line, and goes on with the next", async () => {
    const path = join(environment.root, "tokens");
    using bob = connect(server.url, { authorization: "Bearer plain" });
    const edits = [
      ["", /holds no token/],
      [`${tokenLine("plain", "bob")}\nnonsense\n`, /tokens line 3 must be/],
      [tokenLine("plain", "bob") + tokenLine("plain", "eve"), /tokens lines 1 and 2 hold the same/],
    ] as const;
    for (const [edit, words] of edits) {
      const from = server.log.length;
      await writeFile(path, edit);
      const log = await eventually(
        () => server.log.slice(from).join(),
        (lines) => words.test(lines),
      );
      expect(log).toMatch(words);
      await bob.client.listSessions({});
    }
    await writeFile(path, tokenLine("other", "carol"));
    using carol = connect(server.url, { authorization: "Bearer other" });
    const answer = await eventually(
      () => carol.client.listSessions({}).then(() => "ok", String),
      (found) => found === "ok",
    );
    expect(answer).toBe("ok");
    await expect(bob.client.listSessions({})).rejects.toThrow("unauthenticated");
  });
});
