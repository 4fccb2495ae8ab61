import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, inject, it } from "vitest";
import { collect } from "../support/events.ts";
import { connect } from "../support/protocols.ts";
import { startTestServer } from "../support/test-server.ts";
import { findPostgres, NOBODY, startCluster, USER } from "./cluster.ts";
import { without } from "./databases.ts";

const run = promisify(execFile);
const cluster = inject("cluster");

/** A certificate for `localhost` that it signed itself, which the database's user can read. */
async function makeCertificate() {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-pg-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  await run("openssl", ["req", "-x509", ...made, "-keyout", key, "-out", cert, ...names]);
  if (process.getuid?.() === 0) {
    for (const path of [folder, key, cert]) await chown(path, NOBODY, NOBODY);
  }
  await chmod(key, 0o600);
  return { key, cert, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

describe.skipIf(cluster === undefined)(`a database behind TLS${without(cluster)}`, () => {
  it("is used where its certificate is for its name and signed by whom it is to be, and else refused", async () => {
    await using certificate = await makeCertificate();
    const { cert, key } = certificate;
    const settings = { ssl: "on", ssl_cert_file: cert, ssl_key_file: key };
    await using own = await startCluster((await findPostgres())!, settings);
    await own.query(`CREATE DATABASE behind OWNER ${USER}`);
    const start = (host: string, query: string) => {
      const address = `postgres://${USER}:${own.password}@${host}:${own.port}/behind?${query}`;
      return startTestServer({ BREAKGLASS_STORE: address });
    };
    const verified = `sslmode=verify-full&sslrootcert=${cert}`;
    await expect(start("localhost", "sslmode=verify-full")).rejects.toThrow(
      /^BREAKGLASS_STORE: .*self-signed certificate/,
    );
    await expect(start("127.0.0.1", verified)).rejects.toThrow(/^BREAKGLASS_STORE: .*altnames/);
    await using server = await start("localhost", verified);
    using connection = connect(server.url);
    const events = await collect(connection.client.runTurn({ prompt: "say hi" }));
    expect(events.at(-1)?.kind.case).toBe("result");
    const encrypted = await own.query(
      "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = 'behind'",
    );
    expect(encrypted).toEqual([{ ssl: true }]);
  });
});
