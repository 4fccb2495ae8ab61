import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readIssuers } from "../../src/identity/issuers.ts";
import { signingKey } from "../support/issuer.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-issuers-"));
  path = join(folder, "issuers.yaml");
});
afterEach(() => rm(folder, { recursive: true }));

const GOOD = `issuers:
  - issuer: https://login.example.com
    audience: breakglass
    algorithms: [RS256, ES256]
    jwks_uri: https://login.example.com/keys
    roles_claim: groups
    roles:
      sre: [operator]
`;

describe("a file of issuers", () => {
  it("is read, and keys of a file beside it", async () => {
    const key = await signingKey("one");
    await writeFile(join(folder, "keys.json"), JSON.stringify({ keys: [key.jwk] }), {
      mode: 0o600,
    });
    const fixed = GOOD.replace(/jwks_uri.*/, "jwks_file: keys.json");
    await writeFile(path, fixed, { mode: 0o600 });
    const { byName, files } = readIssuers(path);
    const issuer = byName.get("https://login.example.com");
    expect(issuer).toMatchObject({ name_claim: "sub", clock_skew_seconds: 30 });
    expect(issuer?.keys?.keys).toEqual([key.jwk]);
    expect(files).toEqual([path, join(folder, "keys.json")]);
  });

  it.each([
    ["HS256", [/RS256, ES256/, "HS256"], 4, /takes RS256.*HS… and none/],
    ["none", [/RS256, ES256/, "none"], 4, /HS… and none/],
    ["no algorithm", [/\[RS256, ES256\]/, "[]"], 4, /one algorithm at least/],
    ["no list of algorithms", [/\[RS256, ES256\]/, "RS256"], 4, /takes a list/],
    ["an address in clear text", [/jwks_uri: https/, "jwks_uri: http"], 5, /takes an https URL/],
    ["a file for an address", [/jwks_uri: .*/, "jwks_uri: file:///etc/passwd"], 5, /https URL/],
    ["a user in an address", [/jwks_uri: https:../, "jwks_uri: https://a:b@"], 5, /without a user/],
    ["neither address nor file", [/ {4}jwks_uri: .*\n/, ""], 2, /either jwks_uri or jwks_file/],
    ["a word that is not known", [/audience/, "audiense"], 3, /audiense is not known/],
    ["a role that there is not", [/\[operator\]/, "[root]"], 8, /takes roles: viewer/],
    [
      "nobody who would have a role",
      [/ {4}roles_claim[\s\S]*/, ""],
      2,
      /nobody of it would have a role/,
    ],
    ["roles of no claim", [/ {4}roles_claim.*\n/, ""], 2, /takes roles_claim too/],
    ["too much skew", [/roles_claim/, "clock_skew_seconds: 9999\n    roles_claim"], 6, /0 to 300/],
    ["no YAML", [/issuers:/, "issuers: ]"], 1, /./],
  ] as const)("with %s is refused, by its line", async (_, [from, to], line, words) => {
    await writeFile(path, GOOD.replace(from, to), { mode: 0o600 });
    const read = () => readIssuers(path);
    expect(read).toThrow(`BREAKGLASS_JWT_ISSUERS_FILE: ${path} line ${line}: `);
    expect(read).toThrow(words);
  });

  it("with an issuer twice is refused", async () => {
    await writeFile(path, GOOD + GOOD.replace("issuers:\n", ""), { mode: 0o600 });
    expect(() => readIssuers(path)).toThrow(
      /line 9: issuers\[1\]\.issuer is that of issuers\[0\] too/,
    );
  });

  it.each([
    ["no keys", '{"keys":[]}', /holds no public key/],
    ["a secret for a key", '{"keys":[{"kty":"oct","k":"AAAA"}]}', /holds no public key/],
    ["no JSON", "keys", /is no JSON/],
  ])("whose file of keys holds %s is refused", async (_, text, words) => {
    await writeFile(join(folder, "keys.json"), text, { mode: 0o600 });
    await writeFile(path, GOOD.replace(/jwks_uri.*/, "jwks_file: keys.json"), { mode: 0o600 });
    expect(() => readIssuers(path)).toThrow(words);
  });

  it("that others can write is refused", async () => {
    await writeFile(path, GOOD);
    await chmod(path, 0o666);
    expect(() => readIssuers(path)).toThrow(/others can write to it/);
  });
});
