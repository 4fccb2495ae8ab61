import { once } from "node:events";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/processes.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { RawClient } from "./raw-client.ts";
import { fields, frame, PREFACE, pathOf } from "./raw-requests.ts";

const PATH = pathOf("ListSessions");

describe("the host that a request names", () => {
  let server: TestServer;
  let own: string;
  beforeAll(async () => {
    server = await startTestServer();
    own = new URL(server.url).host;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** The status of a POST with that target and those lines. */
  async function statusOf(target: string, lines: readonly string[]): Promise<number> {
    using client = await RawClient.open(server.url);
    const more = [...lines, "content-type: application/json", "content-length: 2"];
    await client.write([Buffer.from(`POST ${target} HTTP/1.1\r\n${more.join("\r\n")}\r\n\r\n{}`)]);
    const text = await eventually(
      () => client.text,
      (found) => found.includes("\r\n\r\n"),
    );
    return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
  }

  it.each<[string, (own: string) => [target: string, lines: string[]], number]>([
    ["one", (host) => [PATH, [`host: ${host}`]], 200],
    ["one in capitals", (host) => [PATH, [`HOST: ${host.replace("127.0.0.1", "LOCALHOST")}`]], 200],
    ["two", (host) => [PATH, [`host: ${host}`, "host: evil.example"]], 400],
    ["two, the other way", (host) => [PATH, ["host: evil.example", `host: ${host}`]], 400],
    ["the same twice", (host) => [PATH, [`host: ${host}`, `Host: ${host}`]], 400],
    ["two in one line", (host) => [PATH, [`host: ${host}, evil.example`]], 400],
    ["none", () => [PATH, []], 400],
    ["an empty one", () => [PATH, ["host:"]], 400],
    ["one with user information", (host) => [PATH, [`host: evil.example@${host}`]], 400],
    ["one with a path", (host) => [PATH, [`host: ${host}/x`]], 400],
    ["one that is not this server's", () => [PATH, ["host: evil.example"]], 403],
    ["that of a tunnel", () => [PATH, ["host: localhost:9000"]], 200],
    ["an address of a tunnel", () => [PATH, ["host: 127.0.0.1:9000"]], 200],
    [
      "a name that is rebound to loopback",
      () => [PATH, ["host: localhost.evil.example:9000"]],
      403,
    ],
    [
      "that of a tunnel, for a page of another one",
      () => [PATH, ["host: localhost:9000", "origin: http://localhost:9001"]],
      403,
    ],
    ["the same in the target", (host) => [`http://${host}${PATH}`, [`host: ${host}`]], 200],
    ["another in the target", (host) => [`http://evil.example${PATH}`, [`host: ${host}`]], 400],
    [
      "one in the target, another in the header",
      (host) => [`http://${host}${PATH}`, ["host: evil.example"]],
      400,
    ],
    [
      "one in the target, and two in the header",
      (host) => [`http://${host}${PATH}`, [`host: ${host}`, `host: ${host}`]],
      400,
    ],
    ["another in both", () => [`http://evil.example${PATH}`, ["host: evil.example"]], 403],
    [
      "user information in the target",
      (host) => [`http://u@${host}${PATH}`, [`host: ${host}`]],
      400,
    ],
    [
      "one, and a target that begins as another does",
      (host) => [`//evil.example${PATH}`, [`host: ${host}`]],
      404,
    ],
  ])("is refused or taken where it is %s", async (_what, make, status) => {
    expect(await statusOf(...make(own))).toBe(status);
  });

  it.each<[string, (own: string) => Record<string, string>, string]>([
    ["one", (host) => ({ ":authority": host }), "200"],
    ["the same in both places", (host) => ({ ":authority": host, host }), "200"],
    ["only the header", (host) => ({ host }), "200"],
    ["two", (host) => ({ ":authority": host, host: "evil.example" }), "400"],
    ["two, the other way", (host) => ({ ":authority": "evil.example", host }), "400"],
  ])("is refused or taken over HTTP/2 where it is %s", async (_what, make, status) => {
    using client = await RawClient.open(server.url);
    const pseudo = { ":method": "POST", ":scheme": "http", ":path": PATH };
    const head = fields({ ...pseudo, ...make(own), "content-type": "application/json" });
    await client.write([PREFACE, frame(0x1, 0x4, 1, head), frame(0x0, 0x1, 1, Buffer.from("{}"))]);
    // HPACK's table of what is known (RFC 7541, appendix A).
    const codes: Record<string, string> = { "200": "\x88", "400": "\x8c" };
    const isThere = (text: string) => text.includes(`\x00\x00\x00\x01${codes[status]}`);
    expect(await eventually(() => client.text, isThere, 5000)).toContain(codes[status]);
    if (status !== "200") expect(client.text).not.toContain("{}");
  });
});

it("refused hosts and origins are logged at once, and then once a minute, with what to set", async () => {
  await using server = await startTestServer();
  const own = new URL(server.url).host;
  const lines = () => server.log.filter((line) => line.includes("requests were refused"));
  const refused = (headers: Record<string, string>) =>
    rawStatus(server.url, { ...headers, "content-type": "application/json" });
  expect(await refused({ host: "ops.example" })).toBe(403);
  expect(lines()).toHaveLength(1);
  expect(JSON.parse(lines()[0]!)).toMatchObject({
    level: "warn",
    refused: { "BREAKGLASS_ALLOWED_HOSTS=ops.example": 1 },
  });
  for (let n = 0; n < 50; n++) await refused({ host: own, origin: `https://${n}.example` });
  expect(lines()).toHaveLength(1);
});

/** The status of a call that names any host. */
async function rawStatus(url: string, headers: Record<string, string>): Promise<number> {
  const sent = request(`${url}${PATH}`, { method: "POST", headers }).end("{}");
  const [response] = await once(sent, "response");
  response.resume();
  return response.statusCode;
}
