import { createHmac } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exportSPKI, importJWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  AUDIENCE,
  type Issuer,
  issuerEntry,
  type SigningKey,
  signingKey,
  signToken,
  startIssuer,
  type TokenChanges,
} from "../support/issuer.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer, tokenLine } from "../support/test-server.ts";

const NOW = Math.floor(Date.now() / 1000);
const NOBODY = { code: "Unauthenticated", reason: "UNAUTHENTICATED", domain: "breakglass" };

let environment: TestEnvironment;
let issuer: Issuer;
let other: Issuer;
let server: TestServer;
let settings: Record<string, string>;
const key = await signingKey("one");
const rsa = await signingKey("two", "RS256");
const foreign = await signingKey("one");

beforeAll(async () => {
  environment = await createTestEnvironment();
  issuer = await startIssuer(key, rsa);
  other = await startIssuer(foreign);
  const { root } = environment;
  await writeFile(join(root, "tokens"), tokenLine("plain", "bob"), { mode: 0o600 });
  await writeIssuers(
    issuerEntry(issuer, { roles_claim: "groups", roles: { leads: ["approver"] } }),
    issuerEntry(other, { name_claim: "email", name_prefix: "other:" }),
  );
  settings = {
    BREAKGLASS_TOKENS_FILE: join(root, "tokens"),
    BREAKGLASS_JWT_ISSUERS_FILE: join(root, "issuers.yaml"),
  };
  server = await startTestServer(settings);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

function writeIssuers(...issuers: Record<string, unknown>[]): Promise<void> {
  const path = join(environment.root, "issuers.yaml");
  return writeFile(path, JSON.stringify({ issuers }), { mode: 0o600 });
}

const signed = (changes?: TokenChanges) => signToken(issuer.name, key, changes);

/** Whom a server takes the bearer of a token for. */
async function whoIs(token: string, { url } = server): Promise<string> {
  using connection = connect(url, { authorization: `Bearer ${token}` });
  const [event] = await Array.fromAsync(connection.client.runTurn({ prompt: "say hello" }));
  const { turn } = await connection.client.getTurn({ turnId: event!.event!.turnId });
  return turn!.principal;
}

/** How a server refuses the bearer of a token. */
async function refused(token: string) {
  using connection = connect(server.url, { authorization: `Bearer ${token}` });
  return await refusalOf(connection.client.listSessions({}));
}

describe("a JWT of an issuer", () => {
  it("says who asks, by the claim that is set, also the second time", async () => {
    const token = await signed();
    expect(await whoIs(token)).toBe("alice");
    expect(await whoIs(token)).toBe("alice");
    const named = await signToken(other.name, foreign, { claims: { email: "a@example.com" } });
    expect(await whoIs(named)).toBe("other:a@example.com");
    expect(await whoIs("plain")).toBe("bob");
  });

  it("is taken with several audiences, a little late or early", async () => {
    const claims = [{ aud: ["x", AUDIENCE] }, { exp: NOW - 5 }, { nbf: NOW + 20 }];
    for (const each of claims) expect(await whoIs(await signed({ claims: each }))).toBe("alice");
  });

  it.each<[string, TokenChanges]>([
    ["for another audience", { claims: { aud: "billing" } }],
    ["for an audience that begins so", { claims: { aud: `${AUDIENCE}-staging` } }],
    ["without an audience", { claims: { aud: undefined } as never }],
    ["that has expired", { claims: { exp: NOW - 120 } }],
    ["that never expires", { claims: { exp: undefined } as never }],
    ["that expires at no time", { claims: { exp: "tomorrow" as never } }],
    ["that is not valid yet", { claims: { nbf: NOW + 3600 } }],
    ["of another issuer, which signs for itself", { claims: { iss: "https://evil.example" } }],
    ["of another issuer that is set", { claims: { iss: "http://127.0.0.1:1" } }],
    ["of no issuer", { claims: { iss: undefined } as never }],
    ["of a list of issuers", { claims: { iss: ["a"] as never } }],
    ["without a name", { claims: { sub: undefined } as never }],
    ["with a name of everyone's", { claims: { sub: "local" } }],
    ["with spaces in its name", { claims: { sub: "alice and bob" } }],
    ["with a line break in its name", { claims: { sub: "alice\nbob" } }],
    ["with a name that is too long", { claims: { sub: "a".repeat(300) } }],
    ["with a name that is no text", { claims: { sub: 5 as never } }],
    ["with a key that there is not", { header: { kid: "three" } }],
    ["with a path for a key", { header: { kid: "../../../../etc/passwd" } }],
    ["with a path to nothing for a key", { header: { kid: "/dev/null" } }],
    ["with a query for a key", { header: { kid: "' UNION SELECT 'x" } }],
  ])("%s is nobody's", async (_, changes) => {
    expect(await refused(await signed(changes))).toEqual(NOBODY);
  });

  it("is nobody's where its algorithm is none, HMAC by the public key, or another than the issuer's", async () => {
    const [, claims] = (await signed()).split(".");
    const none = ["none", "None", "NONE", "nOnE"].map((alg) => `${encode({ alg })}.${claims}.`);
    const secrets = [
      await exportSPKI((await importJWK(key.jwk, key.alg)) as never),
      JSON.stringify(key.jwk),
      "",
    ];
    const hmac = secrets.map((secret) => {
      const head = `${encode({ alg: "HS256", kid: "one" })}.${claims}`;
      return `${head}.${createHmac("sha256", secret || "x")
        .update(head)
        .digest("base64url")}`;
    });
    const others = [
      await signToken(issuer.name, rsa),
      await signToken(issuer.name, asKid(rsa, "one")),
    ];
    for (const token of [...none, ...hmac, ...others]) expect(await refused(token)).toEqual(NOBODY);
  });

  it("is nobody's with a key of its own in it, or the address of one", async () => {
    await using evil = await startIssuer(foreign);
    const headers = [
      { jwk: foreign.jwk },
      { jku: evil.uri },
      { x5u: evil.uri },
      { jku: evil.uri, kid: undefined },
    ];
    for (const header of headers) {
      const token = await signToken(issuer.name, foreign, { header });
      expect(await refused(token)).toEqual(NOBODY);
    }
    expect(evil.fetches).toBe(0);
  });

  it("is nobody's where it was signed by the key of another issuer that is set, or altered", async () => {
    expect(await refused(await signToken(issuer.name, foreign))).toEqual(NOBODY);
    const [head, body, signature] = (await signed()).split(".");
    const claims = JSON.parse(Buffer.from(body!, "base64url").toString());
    const altered = encode({ ...claims, sub: "root" });
    const pieces = [
      [head, altered, signature],
      [head, body, ""],
      [head, body, `${signature!.slice(0, -4)}AAAA`],
      [head, body, `${signature}AAAA`],
      [head, `${body}=`, signature],
      ["", body, signature],
      [encode([]), body, signature],
      [head, encode("text"), signature],
      [head, Buffer.from('{"iss":').toString("base64url"), signature],
    ];
    for (const parts of pieces) expect(await refused(parts.join("."))).toEqual(NOBODY);
  });

  it("is nobody's where it is giant, and is nested as deep as it can be", async () => {
    const deep = `${"[".repeat(3000)}${"]".repeat(3000)}`;
    const body = Buffer.from(`{"iss":"${issuer.name}","x":${deep}}`).toString("base64url");
    expect(await refused(`${encode({ alg: "ES256", kid: "one" })}.${body}.AAAA`)).toEqual(NOBODY);
    const giant = await signed({ claims: { padding: "x".repeat(7000) } });
    expect(giant.length).toBeGreaterThan(8192);
    expect(await refused(giant)).toEqual(NOBODY);
  });

  it("that is wrong is refused, whatever else is shown, and never with its contents in the log", async () => {
    const token = await signed({ claims: { sub: "s3cret-name", aud: "x" } });
    expect(await refused(token)).toEqual(NOBODY);
    expect(server.log.join()).not.toContain("s3cret-name");
    expect(server.log.join()).not.toContain(token.split(".")[2]);
    expect(server.log.join()).toContain("its claim aud is not as it has to be");
  });
});

describe("the issuers", () => {
  it("may be down, also when the server starts again, and come back", async () => {
    const token = await signed();
    expect(await whoIs(token)).toBe("alice");
    await eventually(
      () => readdir(join(server.root, "data", "issuer-keys")),
      (names) => names.length === 2,
    );
    await issuer.stop();
    await server.restart(settings);
    const fresh = await signed({ claims: { sub: "carol" } });
    expect(await whoIs(fresh)).toBe("carol");
    await issuer.start();
  });

  it("are no longer believed once they are out of the file, and an edit that is wrong changes nothing", async () => {
    const path = join(environment.root, "issuers.yaml");
    const token = await signToken(other.name, foreign, { claims: { email: "x" } });
    expect(await whoIs(token)).toBe("other:x");
    const before = server.log.length;
    const wrong = [
      "issuers: [",
      JSON.stringify({ issuers: [issuerEntry(issuer, { algorithms: ["HS256"] })] }),
      JSON.stringify({ issuers: [issuerEntry(issuer, { algorithms: ["none"] })] }),
    ];
    for (const text of wrong) {
      const from = server.log.length;
      await writeFile(path, text);
      await eventually(
        () => server.log.slice(from).join(),
        (log) => log.includes("cannot be read again"),
      );
      expect(server.log.slice(from).join()).toMatch(/issuers.yaml line 1: /);
      expect(await whoIs(token)).toBe("other:x");
    }
    expect(server.log.slice(before).join()).toContain("HS… and none");
    await writeIssuers(issuerEntry(issuer));
    const answer = await eventually(
      () =>
        refused(token).then(
          () => "refused",
          () => "taken",
        ),
      (found) => found === "refused",
    );
    expect(answer).toBe("refused");
    expect(await whoIs(await signed())).toBe("alice");
  });

  it("keep no file under a name of their own", async () => {
    const names = await readdir(join(server.root, "data", "issuer-keys"));
    for (const name of names) expect(name).toMatch(/^[0-9a-f]{32}\.json$/);
  });
});

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function asKid(signing: SigningKey, kid: string): SigningKey {
  return { ...signing, kid };
}
