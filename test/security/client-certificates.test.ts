import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { type RequestOptions, request } from "node:https";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CertificateAuthenticator, CertificateMap } from "../../src/identity/certificates.ts";
import { presented } from "../support/presented.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";
import { makeCertificate } from "./certificate.ts";
import { type Authority, createAuthority, type Pair } from "./client-certificates.ts";

const LIST = "/breakglass.v1.BreakglassService/ListSessions";
const RUN = "/v1/turns";

let environment: TestEnvironment;
let authority: Authority;
let stranger: Authority;
let server: TestServer;
let settings: Record<string, string>;
let map: string;

beforeAll(async () => {
  environment = await createTestEnvironment();
  const { root } = environment;
  authority = createAuthority(root, "ours");
  stranger = createAuthority(root, "theirs");
  map = join(root, "people.yaml");
  await writeFile(map, PEOPLE);
  await writeFile(join(root, "tokens"), tokenLine("plain", "bob"), { mode: 0o600 });
  settings = {
    ...makeCertificate(root),
    BREAKGLASS_TOKENS_FILE: join(root, "tokens"),
    BREAKGLASS_CLIENT_CA: authority.path,
    BREAKGLASS_CLIENT_CERTIFICATES_FILE: map,
    BREAKGLASS_PROXY_CERTIFICATES: "dns:proxy.example",
    BREAKGLASS_PROXY_USER_HEADER: "X-Forwarded-User",
    BREAKGLASS_PROXY_ROLES_HEADER: "X-Forwarded-Roles",
  };
  server = await startTestServer(settings);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

const PEOPLE = `
- cn: alice
  principal: alice
  roles: [operator, approver]
- dn: CN=carol,OU=Night,O=Ops
  principal: carol
- uri: spiffe://prod/ns/ops/sa/bot
  principal: bot
- email: dora@example.com
  principal: dora
- dns: host.example
  principal: host
`;

interface Asked {
  readonly pair?: Pair | undefined;
  readonly headers?: Record<string, string | string[]>;
  readonly options?: RequestOptions;
}

/** Whom the server takes a client for, over HTTP/1.1; its status where that is not 200. */
async function whoIs({ pair, headers = {}, options = {} }: Asked): Promise<string | number> {
  const asked = request(`${server.url}${RUN}`, {
    method: "POST",
    ca: readFileSync(settings.BREAKGLASS_TLS_CERT!),
    agent: false,
    ...pair,
    ...options,
    headers: { "content-type": "application/json", ...headers },
  });
  asked.end('{"prompt":"say hello"}');
  const [response] = await once(asked, "response");
  const body = await text(response);
  if (response.statusCode !== 200) return response.statusCode;
  const { turn_id: turnId } = JSON.parse(body.split("\n")[0]!);
  return principalOf(turnId);
}

async function principalOf(turnId: string): Promise<string> {
  const started = await eventually(
    () => server.log.find((line) => line.includes(turnId) && line.includes('"principal"')),
    (line) => line !== undefined,
  );
  return JSON.parse(started!).principal;
}

/** The status of a call over HTTP/2. */
async function statusOverHttp2(pair: Pair | undefined, headers: Record<string, string> = {}) {
  const session = connectHttp2(server.url, {
    ca: readFileSync(settings.BREAKGLASS_TLS_CERT!),
    ...pair,
  });
  try {
    const stream = session.request({
      ...{ ":method": "POST", ":path": LIST, "content-type": "application/json" },
      ...headers,
    });
    stream.end("{}");
    const refused = once(stream, "close").then(() => Promise.reject(new Error("it was closed")));
    session.on("error", () => {});
    const [answer] = await Promise.race([once(stream, "response"), refused]);
    refused.catch(() => {});
    return answer[":status"];
  } finally {
    session.destroy();
  }
}

const plain = { authorization: "Bearer plain" };

describe("a client's certificate", () => {
  it.each<[string, string, string[], string]>([
    ["its common name", "/O=Ops/CN=alice", [], "alice"],
    ["its whole subject", "/O=Ops/OU=Night/CN=carol", [], "carol"],
    ["its URI", "/CN=x", ["URI:spiffe://prod/ns/ops/sa/bot"], "bot"],
    ["its address", "/CN=x", ["email:dora@example.com"], "dora"],
    ["its host", "/CN=x", ["DNS:HOST.example"], "host"],
    ["the first of the file that it has", "/CN=alice", ["DNS:host.example"], "alice"],
  ])("says who asks by %s", async (_, subject, names, principal) => {
    const pair = authority.sign(subject, names);
    expect(await whoIs({ pair })).toBe(principal);
    expect(await statusOverHttp2(pair)).toBe(200);
  });

  it("that stands for nobody leaves it to a token, and is nobody without one", async () => {
    const pair = authority.sign("/CN=unknown");
    expect(await whoIs({ pair })).toBe(401);
    expect(await statusOverHttp2(pair)).toBe(401);
    expect(await whoIs({ pair, headers: plain })).toBe("bob");
    expect(await statusOverHttp2(pair, plain)).toBe(200);
  });

  it("is not needed for a token, nor does a token fall back on it", async () => {
    expect(await whoIs({ headers: plain })).toBe("bob");
    expect(await statusOverHttp2(undefined, plain)).toBe(200);
    expect(await statusOverHttp2(undefined)).toBe(401);
    const pair = authority.sign("/CN=alice");
    expect(await whoIs({ pair, headers: plain })).toBe("bob");
    expect(await whoIs({ pair, headers: { authorization: "Bearer wrong" } })).toBe(401);
    // Of another scheme nothing is made.
    expect(await whoIs({ pair, headers: { authorization: "Basic YTpi" } })).toBe("alice");
  });

  it.each<[string, () => Pair]>([
    ["that nobody trusts", () => stranger.sign("/CN=alice")],
    ["that is over", () => authority.sign("/CN=alice", [], { days: -1 })],
    ["of a server", () => authority.sign("/CN=alice", [], { usage: "serverAuth" })],
    [
      "that signs itself",
      () => createAuthority(environment.root, "alice-herself").sign("/CN=alice"),
    ],
  ])("%s is refused by TLS, also with a good token", async (_, make) => {
    const pair = make();
    await expect(whoIs({ pair, headers: plain })).rejects.toThrow();
    await expect(statusOverHttp2(pair, plain)).rejects.toThrow();
  });

  it("that a subject only resembles stands for nobody", async () => {
    const subjects = [
      "/CN=Alice",
      "/CN=alice\nx",
      "/CN=xalice",
      "/CN=eve/CN=alice",
      "/O=Ops/CN=carol",
    ];
    for (const subject of subjects)
      expect(await whoIs({ pair: authority.sign(subject) })).toBe(401);
    expect(await whoIs({ pair: authority.sign("/CN=x", ["DNS:alice"]) })).toBe(401);
    expect(
      await whoIs({ pair: authority.sign("/CN=x", ["URI:http://a/, DNS:host.example"]) }),
    ).toBe(401);
  });

  it("says no more who asks once it is over, on a connection that is older", () => {
    const entries = [{ keys: ["cn:alice"], principal: "alice", roles: ["operator" as const] }];
    const authenticator = new CertificateAuthenticator(
      () => new CertificateMap(entries),
      new Set(),
    );
    const past = authority.sign("/CN=alice", [], { days: -1 });
    const certificate = new X509Certificate(past.cert);
    expect(authenticator.authenticate(presented({}, { certificate }))).toMatchObject({
      failure: { means: "certificate" },
    });
  });
});

describe("a header that names a user", () => {
  const header = { "x-forwarded-user": "erin" };

  it("is heeded from a proxy by its certificate, and roles with it", async () => {
    const pair = authority.sign("/CN=alice", ["DNS:proxy.example"]);
    expect(await whoIs({ pair, headers: header })).toBe("erin");
    expect(
      await whoIs({ pair, headers: { ...header, "x-forwarded-roles": "operator, root" } }),
    ).toBe("erin");
    // The proxy's own certificate speaks for its users, and never for itself.
    expect(await whoIs({ pair })).toBe(401);
    expect(await whoIs({ pair, headers: { "x-forwarded-user": " " } })).toBe(401);
    expect(await whoIs({ pair, headers: { ...header, "x-forwarded-roles": "root" } })).toBe(401);
    expect(await whoIs({ pair, headers: { ...header, ...plain } })).toBe("bob");
  });

  it.each<[string, Record<string, string | string[]>]>([
    ["two names", { "x-forwarded-user": ["erin", "root"] }],
    ["a list of names", { "x-forwarded-user": "erin, root" }],
    ["the name of everyone", { "x-forwarded-user": "local" }],
    ["a name that is too long", { "x-forwarded-user": "e".repeat(300) }],
  ])("is refused from a proxy with %s", async (_, headers) => {
    const pair = authority.sign("/CN=x", ["DNS:proxy.example"]);
    expect(await whoIs({ pair, headers })).toBe(401);
  });

  it("is as if it were not there from everybody else, in whatever case and number", async () => {
    const alice = authority.sign("/CN=alice");
    const forged = [
      header,
      { "X-FORWARDED-USER": "erin" },
      { "x-forwarded-user": ["erin", "erin"] },
    ];
    for (const headers of forged) {
      expect(await whoIs({ headers })).toBe(401);
      expect(await whoIs({ headers: { ...headers, ...plain } })).toBe("bob");
      expect(await whoIs({ pair: alice, headers })).toBe("alice");
    }
    for (const name of [
      "DNS:proxy.example.evil.example",
      "URI:proxy.example",
      "email:proxy.example@x",
    ]) {
      expect(
        await whoIs({ pair: authority.sign("/CN=proxy.example", [name]), headers: header }),
      ).toBe(401);
    }
    expect(await statusOverHttp2(undefined, header)).toBe(401);
  });
});

describe("the file of certificates", () => {
  it("is read again by itself, and stays what it was where an edit is wrong", async () => {
    const pair = authority.sign("/CN=frank");
    expect(await whoIs({ pair })).toBe(401);
    await writeFile(map, `${PEOPLE}- cn: frank\n  principal: frank\n`);
    expect(
      await eventually(
        () => whoIs({ pair }),
        (found) => found === "frank",
      ),
    ).toBe("frank");
    const from = server.log.length;
    await writeFile(
      map,
      `${PEOPLE}- cn: frank\n  principal: frank\n- cn: frank\n  principal: eve\n`,
    );
    const log = await eventually(
      () => server.log.slice(from).join(),
      (lines) => lines.includes("cannot be read again"),
    );
    expect(log).toContain("people.yaml line 15: [6] names the same as [5]");
    expect(await whoIs({ pair })).toBe("frank");
    await writeFile(map, PEOPLE);
    expect(
      await eventually(
        () => whoIs({ pair }),
        (found) => found === 401,
      ),
    ).toBe(401);
  });
});
