import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type BreakglassClient,
  createBreakglassClient,
} from "../../src/client/breakglass-client.ts";
import { openGrpcConnection } from "../../src/client/grpc-connection.ts";
import { readServeConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import { type Server, startServer } from "../../src/server.ts";

/** The program that stands in for the CLI; `STUB_MODE` tells it what to do. */
export const STUB_AGENT = fileURLToPath(new URL("../fixtures/stub-agent.mjs", import.meta.url));

/** A real server with the stub agent, in a directory of its own. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** A gRPC client of it. */
  readonly client: BreakglassClient;
  readonly dataDir: string;
  /** Ends it and starts another on the same data, with further settings. */
  restart(settings?: Settings): Promise<void>;
}

/** Environment variables of the server. */
export type Settings = Readonly<Record<string, string>>;

/** Starts a server that lasts as long as the test that `await using`s it. */
export async function startTestServer(settings: Settings = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  let current = await serve(dataDir, settings);
  return {
    dataDir,
    get url() {
      return current.server.url;
    },
    get client() {
      return current.client;
    },
    async restart(further = {}) {
      await current.end();
      current = await serve(dataDir, { ...settings, ...further });
    },
    async [Symbol.asyncDispose]() {
      await current.end();
      await rm(dataDir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The settings of a test's server: nothing of the machine's but where its programs are. */
export function testSettings(dataDir: string, settings: Settings): Record<string, string> {
  return {
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: dataDir,
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: dataDir,
    BREAKGLASS_AGENT_COMMAND: STUB_AGENT,
    BREAKGLASS_AGENT_ENV: "STUB_MODE,STUB_BYTES",
    ...settings,
  };
}

/** A line of a tokens file. */
export function tokenLine(token: string, principal: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")} ${principal}\n`;
}

async function serve(dataDir: string, settings: Settings) {
  const config = readServeConfig(testSettings(dataDir, settings));
  const server: Server = await startServer(
    config,
    createLog(() => {}),
  );
  const connection = openGrpcConnection(server.url, settings.BREAKGLASS_TOKEN);
  const client = createBreakglassClient(connection.transport);
  const end = async () => {
    connection.close();
    await server.drain();
  };
  return { server, client, end };
}
