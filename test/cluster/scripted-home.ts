import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Http2ServerRequest, ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCredentials } from "../../src/cluster/credentials.ts";
import type { Homes } from "../../src/cluster/homes.ts";
import { listenForPeers } from "../../src/cluster/peer-listener.ts";
import { createLog } from "../../src/log.ts";
import { freePort } from "../support/free-port.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { type Replica, startReplica } from "./two-replicas.ts";

/** Answers one request as a home would not. */
export type Script = (stream: ServerHttp2Stream, request: Http2ServerRequest) => void;

/** A replica, and in the place of the home a listener that does what a test says. */
export interface ScriptedHome extends AsyncDisposable {
  readonly first: Replica;
  /** What answers from now on. */
  answer: Script;
}

/** Starts both. */
export async function startScriptedHome(
  settings: Readonly<Record<string, string>> = {},
): Promise<ScriptedHome> {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  cleanup.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  const file = join(directory, "secret");
  await writeFile(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  const { variables } = cleanup.use(await createTestEnvironment(settings));
  const credentials = readCredentials({ kind: "secret", file });
  let script: Script = (stream) => stream.close();
  const port = await freePort();
  const listener = await listenForPeers(
    { host: "127.0.0.1", port },
    () => credentials,
    (request) => {
      const asked = request as Http2ServerRequest;
      asked.stream.on("error", () => {});
      asked.resume();
      asked.once("end", () => script(asked.stream, asked));
    },
    createLog(() => {}),
  );
  cleanup.defer(() => listener.close());
  cleanup.defer(() => listener.destroy());
  const home = { owner: "home", address: `127.0.0.1:${port}`, isPresent: true };
  const homes: Homes = {
    owner: "first",
    runsHere: () => false,
    homeOfSession: async () => home,
    homeOfTurn: async () => home,
  };
  const more = { BREAKGLASS_CLUSTER_SECRET_FILE: file };
  const first = cleanup.use(
    await startReplica(join(directory, "first"), { ...variables, ...more }, homes),
  );
  const owned = cleanup.move();
  return {
    first,
    get answer() {
      return script;
    },
    set answer(next) {
      script = next;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
