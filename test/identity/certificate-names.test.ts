import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { nameKey, namesOf } from "../../src/identity/certificate-names.ts";
import { createAuthority } from "../security/client-certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "breakglass-names-"));
const authority = createAuthority(folder, "ca");
afterAll(() => rmSync(folder, { recursive: true }));

const names = (subject: string, alternatives?: readonly string[]) =>
  [...namesOf(new X509Certificate(authority.sign(subject, alternatives).cert))].sort();

describe("the names of a certificate", () => {
  it("are its subject, a common name and its alternatives", () => {
    expect(
      names("/C=DE/O=Ops/CN=alice", [
        "DNS:Host.Example",
        "URI:spiffe://prod/ns/ops",
        "email:Al@example.com",
        "IP:192.0.2.1",
      ]),
    ).toEqual([
      "cn:alice",
      "dn:CN=alice,O=Ops,C=DE",
      "dns:host.example",
      "email:Al@example.com",
      "uri:spiffe://prod/ns/ops",
    ]);
  });

  it.each([
    [
      "a common name that looks like more",
      "/CN=eve\\/CN=root",
      ["cn:eve/CN=root", "dn:CN=eve/CN=root"],
    ],
    ["a comma", "/O=Ops, Inc/CN=x", ["cn:x", "dn:CN=x,O=Ops\\, Inc"]],
    ["a line break", "/CN=eve\nCN=root", ["cn:eve\\0ACN=root", "dn:CN=eve\\0ACN=root"]],
    ["two common names", "/CN=eve/CN=root", ["dn:CN=root,CN=eve"]],
    ["none", "/O=Ops", ["dn:O=Ops"]],
    ["more than ASCII", "/CN=åsa", ["cn:åsa", "dn:CN=åsa"]],
  ])("are what they are with %s", (_, subject, expected) => {
    expect(names(subject)).toEqual(expected);
  });

  it("do not come out of the value of another", () => {
    const uri = names("/CN=x", ["URI:http://a/, DNS:root.example"]);
    expect(uri).toEqual(["cn:x", "dn:CN=x", "uri:http://a/, DNS:root.example"]);
    const quoted = names("/CN=x", ['URI:http://a/\\", DNS:root.example, URI:\\"b']);
    expect(quoted).toEqual(["cn:x", "dn:CN=x", 'uri:http://a/", DNS:root.example, URI:"b']);
  });

  it("of hosts are the same in either case, others are not", () => {
    expect(nameKey("dns", "A.Example")).toBe(nameKey("dns", "a.example"));
    expect(nameKey("cn", "Alice")).not.toBe(nameKey("cn", "alice"));
  });
});
