import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../security/certificate.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

/** What a start says that fails: one line for the operator. */
async function refusalOf(settings: Record<string, string>): Promise<string> {
  const error: Error = await startTestServer(settings).then(
    () => Promise.reject(new Error("the server started")),
    (reason) => reason,
  );
  expect(error.name).toBe("ConfigError");
  expect(error.message).not.toContain("\n");
  return error.message;
}

describe("startServer", () => {
  it.each(["0.0.0.0:0", "[::]:0", "192.0.2.1:7433"])(
    "does not listen on %s for everyone without tokens",
    async (BREAKGLASS_LISTEN) => {
      expect(await refusalOf({ BREAKGLASS_LISTEN })).toBe(
        `BREAKGLASS_LISTEN is "${BREAKGLASS_LISTEN}", which others can reach: set BREAKGLASS_TOKENS_FILE, or listen on 127.0.0.1`,
      );
    },
  );

  it("speaks in the clear beyond loopback only where that is said outright", async () => {
    await using environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
    const settings = { BREAKGLASS_LISTEN: "0.0.0.0:0", BREAKGLASS_TOKENS_FILE: tokens };
    expect(await refusalOf(settings)).toBe(
      'BREAKGLASS_LISTEN is "0.0.0.0:0", where tokens would cross the network in the clear: set BREAKGLASS_TLS_CERT and BREAKGLASS_TLS_KEY or, where nobody else reads that network, BREAKGLASS_PLAINTEXT=anywhere',
    );
    await using server = await startTestServer({
      ...settings,
      ...makeCertificate(environment.root),
    });
    expect(server.url).toMatch(/^https:/);
  });

  it("listens for everyone with tokens", async () => {
    await using environment = await createTestEnvironment();
    const tokens = join(environment.root, "tokens");
    await writeFile(tokens, tokenLine("secret", "alice"), { mode: 0o600 });
    await using server = await startTestServer({
      BREAKGLASS_LISTEN: "0.0.0.0:0",
      BREAKGLASS_PLAINTEXT: "anywhere",
      BREAKGLASS_TOKENS_FILE: tokens,
    });
    // By the name of every address nobody can call it.
    const { hostname, port } = new URL(server.url);
    expect(hostname).toBe("localhost");
    const url = `http://127.0.0.1:${port}/breakglass.v1.BreakglassService/ListSessions`;
    const headers = { "content-type": "application/json" };
    const without = await fetch(url, { method: "POST", headers, body: "{}" });
    const authorization = "Bearer secret";
    const bearing = await fetch(url, {
      method: "POST",
      headers: { ...headers, authorization },
      body: "{}",
    });
    expect([without.status, bearing.status]).toEqual([401, 200]);
  });

  it("says which port is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    expect(await refusalOf({ BREAKGLASS_LISTEN: `127.0.0.1:${port}` })).toBe(
      `BREAKGLASS_LISTEN is "127.0.0.1:${port}", which cannot be listened on: EADDRINUSE: another program listens there already`,
    );
    await new Promise((resolve) => other.close(resolve));
  });

  it("says what a rule of approvals that nobody could follow lacks", async () => {
    expect(await refusalOf({ BREAKGLASS_APPROVERS: "bob" })).toMatch(/BREAKGLASS_TOKENS_FILE/);
    expect(await refusalOf({ BREAKGLASS_SELF_APPROVAL: "forbidden" })).toMatch(
      /name principals in BREAKGLASS_APPROVERS, or give a token the role approver$/,
    );
  });

  it.each(["BREAKGLASS_RULES_FILE", "BREAKGLASS_TOKENS_FILE", "BREAKGLASS_TLS_CERT"])(
    "says which file it cannot read: %s",
    async (variable) => {
      const settings = { [variable]: "/nowhere/file", BREAKGLASS_TLS_KEY: "" };
      if (variable === "BREAKGLASS_TLS_CERT") settings.BREAKGLASS_TLS_KEY = "/nowhere/key";
      expect(await refusalOf(settings)).toBe(
        `${variable} is "/nowhere/file", which cannot be read: ENOENT`,
      );
    },
  );

  it.each(["BREAKGLASS_DATA_DIR", "BREAKGLASS_SESSIONS_DIR"])(
    "says which directory it cannot make: %s",
    async (variable) => {
      expect(await refusalOf({ [variable]: "/dev/null/x" })).toBe(
        `${variable} is "/dev/null/x", which cannot be made: ENOTDIR`,
      );
    },
  );

  it("does not start on TLS files that hold none", async () => {
    await using environment = await createTestEnvironment();
    const path = join(environment.root, "no.pem");
    await writeFile(path, "not PEM", { mode: 0o600 });
    const said = await refusalOf({ BREAKGLASS_TLS_CERT: path, BREAKGLASS_TLS_KEY: path });
    expect(said).toMatch(/^BREAKGLASS_TLS_/);
  });
});
