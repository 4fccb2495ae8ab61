import { resolve } from "node:path";
import type * as testing from "#client/testing";
import { DEFAULT_SCRIPT } from "./default-script.ts";
import { fakeConfig, inOwnWords } from "./fake-config.ts";
import { type FakeDirectory, openFakeDirectory } from "./fake-directory.ts";
import { FakeServer } from "./fake-server.ts";
import { type Fault, readFault } from "./faults.ts";
import { checkScript, readScriptFile } from "./read-script.ts";
import type { Script } from "./script.ts";
import { ServerFaults } from "./server-faults.ts";

/** The service with an agent that plays a script, in a thread. */
export class Fake implements testing.Fake {
  readonly #directory: FakeDirectory;
  readonly #server: FakeServer;
  readonly #serverFaults: ServerFaults;

  /** To be made by {@link startFake}. */
  constructor(directory: FakeDirectory, server: FakeServer, serverFaults: ServerFaults) {
    this.#directory = directory;
    this.#server = server;
    this.#serverFaults = serverFaults;
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  get defect(): Promise<Error> {
    return this.#server.defect;
  }

  cut(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "cut" });
  }

  stall(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "stall" });
  }

  goAway(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "goaway" });
  }

  calm(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "calm" });
  }

  async addFaults(...faults: readonly string[]): Promise<void> {
    const read = faults.map(readFault);
    this.#serverFaults.plan(read);
    await this.#server.plan(read);
  }

  async clearFaults(): Promise<void> {
    this.#serverFaults.clear();
    await this.#server.clear();
  }

  async setScript(script: string | testing.ScriptDocument): Promise<void> {
    await this.#directory.writeScript(readScript(script));
  }

  drain(): Promise<void> {
    return this.#server.drainAndStart();
  }

  lose(): Promise<void> {
    return this.#server.drainAndStart(0);
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  stop(graceMs?: number): Promise<void> {
    return this.#server.stop(graceMs);
  }

  kill(): Promise<void> {
    return this.#server.kill();
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  async reload(): Promise<void> {
    await this.#server.ask({ do: "reload" });
  }

  /** Ends all at once: what the turns run is killed. */
  async stopNow(): Promise<void> {
    this.#serverFaults.clear();
    await this.#server.ask({ do: "stopNow" });
    await this.#server.kill();
    await this.#directory.remove();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#serverFaults.clear();
    await this.#server.stop(0);
    await this.#directory.remove();
  }
}

/**
 * Starts a fake on 127.0.0.1.
 *
 * @throws ConfigError for what cannot be used of the options, the script or the settings: a line for each mistake.
 */
export async function startFake(options: testing.FakeOptions = {}): Promise<Fake> {
  const { dataDir, tokens = [], settings = {}, log = () => {}, port = 0 } = options;
  const faults: Fault[] = (options.faults ?? []).map(readFault);
  const script = readScript(options.script);
  await using cleanup = new AsyncDisposableStack();
  const directory = await openFakeDirectory(dataDir === undefined ? undefined : resolve(dataDir));
  cleanup.defer(() => directory.remove());
  await directory.writeScript(script);
  await directory.writeTokens(tokens);
  const config = fakeConfig(settings, directory, port, tokens.length > 0);
  const serverFaults = new ServerFaults();
  const server = new FakeServer(config, faults, {
    log,
    streamBegan: () => serverFaults.streamBegan(),
  });
  serverFaults.serve(server);
  serverFaults.plan(faults);
  try {
    await server.start();
  } catch (error) {
    throw inOwnWords(error, directory, port);
  }
  await directory.removeLeft();
  cleanup.move();
  return new Fake(directory, server, serverFaults);
}

function readScript(script: testing.FakeOptions["script"]): Script {
  if (script === undefined) return DEFAULT_SCRIPT;
  return typeof script === "string" ? readScriptFile(script) : checkScript(script);
}
