import { writeFile } from "node:fs/promises";
import { type ClientHttp2Session, connect } from "node:http2";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { pathOf } from "../security/raw-requests.ts";
import { eventually } from "../support/processes.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, tokenLine } from "../support/test-server.ts";

const MIB = 1024 * 1024;
/** HTTP/2's own. */
const NARROW = 65_535;
/** Of a connection's window so much may not have been given back yet. */
const A_LITTLE = 1024;

/** How much a client may send at once: on a stream, and on the connection. */
function windowsOf({ remoteSettings, state }: ClientHttp2Session) {
  return {
    stream: remoteSettings.initialWindowSize ?? NARROW,
    connection: state.remoteWindowSize ?? NARROW,
  };
}

/** Calls a method that has nothing to say, and answers with the status. */
function call(session: ClientHttp2Session, method: string, token: string): Promise<number> {
  const headers = {
    ":method": "POST",
    ":path": pathOf(method),
    "content-type": "application/json",
    authorization: `Bearer ${token}`,
  };
  return new Promise((resolve, reject) => {
    const stream = session.request(headers).on("error", reject);
    stream.on("response", ({ ":status": status = 0 }) => {
      stream.resume().once("close", () => resolve(status));
    });
    stream.end("{}");
  });
}

describe("a connection of HTTP/2", () => {
  it("has its windows opened once a request on it is admitted, and not for strangers", async () => {
    await using environment = await createTestEnvironment();
    const tokensFile = join(environment.root, "tokens");
    await writeFile(tokensFile, tokenLine("secret", "alice"), { mode: 0o600 });
    await using server = await startTestServer({ BREAKGLASS_TOKENS_FILE: tokensFile });
    const session = connect(server.url);
    using _closed = { [Symbol.dispose]: () => session.destroy() };
    expect(await call(session, "ListSessions", "wrong")).toBe(401);
    expect(windowsOf(session).stream).toBe(NARROW);
    expect(windowsOf(session).connection).toBeLessThanOrEqual(NARROW);
    expect(await call(session, "ListSessions", "secret")).toBe(200);
    const opened = await eventually(
      () => windowsOf(session),
      ({ stream, connection }) => Math.min(stream, connection) > NARROW,
    );
    expect(opened.stream).toBe(8 * MIB);
    expect(opened.connection).toBeGreaterThan(8 * MIB - A_LITTLE);
  });
});
