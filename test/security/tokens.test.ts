import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { type ClientSessionOptions, connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Tokens } from "../../src/identity/tokens.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const PATH = "/breakglass.v1.BreakglassService/ListSessions";
/** A client that sends what a good one would not. */
const LENIENT = { strictSingleValueFields: false } as ClientSessionOptions;
/** What `printf %s "$TOKEN" | sha256sum` gives where TOKEN is not set. */
const HASH_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

describe("no token", () => {
  let environment: TestEnvironment;
  let server: TestServer;
  beforeAll(async () => {
    environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine("alpha", "alice") + tokenLine("beta", "bob"), {
      mode: 0o600,
    });
    server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokens });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  it.each<[string[], number]>([
    [["Bearer alpha"], 200],
    [["bearer  beta"], 200],
    [[], 401],
    [[""], 401],
    [["Bearer"], 401],
    [["Bearer "], 401],
    [["Basic alpha"], 401],
    [["Token alpha"], 401],
    [["alpha"], 401],
    [["Bearer gamma"], 401],
    [["Bearer alpha", "Bearer alpha"], 401],
    [["Bearer alpha", "Bearer beta"], 401],
    [["Bearer alpha", "Basic x"], 401],
    [["Basic x", "Bearer alpha"], 401],
    [["Bearer alpha, Bearer beta"], 401],
    [["Bearer alpha", ""], 401],
  ])(
    "of the headers %j the answer is %i, over either HTTP version",
    async (authorizations, status) => {
      expect(await statusOverHttp1(server.url, authorizations)).toBe(status);
      expect(await statusOverHttp2(server.url, authorizations)).toBe(status);
    },
  );
});

describe("a tokens file", () => {
  it.each([
    ["printf", HASH_OF_NOTHING],
    ["printf, in capitals", HASH_OF_NOTHING.toUpperCase()],
    ["echo", "01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"],
  ])("with the hash of nothing, as %s makes it, is refused in words that say so", (_what, hash) => {
    const read = () =>
      new Tokens(`${tokenLine("alpha", "alice")}sha256:${hash} bob\n`, "/etc/tokens");
    expect(read).toThrow(
      /^BREAKGLASS_TOKENS_FILE: \/etc\/tokens line 2 is the hash of no token at all: the variable that was hashed was not set\. [^\n]*$/,
    );
  });

  it.each(["bob", "alice"])("with a hash twice is refused, naming both lines: %s", (second) => {
    const lines = ["# operators", tokenLine("alpha", "alice"), tokenLine("alpha", second)];
    expect(() => new Tokens(lines.join("\n"), "/etc/tokens")).toThrow(
      "BREAKGLASS_TOKENS_FILE: /etc/tokens lines 2 and 4 hold the same hash",
    );
  });
});

async function statusOverHttp1(url: string, authorizations: string[]): Promise<number> {
  const { hostname, port, host } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  const headers = authorizations.map((value) => `Authorization: ${value}\r\n`).join("");
  socket.write(
    `POST ${PATH} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nConnection: close\r\n${headers}Content-Length: 2\r\n\r\n{}`,
  );
  return Number((await text(socket)).split(" ")[1]);
}

async function statusOverHttp2(url: string, authorizations: string[]): Promise<number> {
  const session = connectHttp2(url, LENIENT);
  // In the form of pairs: an object could not hold two.
  const pairs = authorizations.flatMap((value) => ["authorization", value]);
  const stream = session.request([
    ...[":method", "POST", ":path", PATH, ":scheme", "http", ":authority", new URL(url).host],
    ...["content-type", "application/json"],
    ...pairs,
  ]);
  stream.end("{}");
  const [answer] = await once(stream, "response");
  session.destroy();
  return answer[":status"];
}
