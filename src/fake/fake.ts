import { resolve } from "node:path";
import type { Environment } from "../config/environment.ts";
import { DEFAULT_SCRIPT } from "./default-script.ts";
import { fakeConfig, inOwnWords } from "./fake-config.ts";
import { type FakeDirectory, openFakeDirectory } from "./fake-directory.ts";
import { FakeServer } from "./fake-server.ts";
import { type Fault, readFault } from "./faults.ts";
import { checkScript, readScriptFile } from "./read-script.ts";
import type { Script } from "./script.ts";
import type { ScriptDocument } from "./script-document.ts";
import { ServerFaults } from "./server-faults.ts";

/** What a fake is to be. */
export interface FakeOptions {
  /** A script: the path of a file in YAML or JSON, or what would be in it. Default: a small repair, whatever is asked. */
  readonly script?: string | ScriptDocument | undefined;
  /** What goes wrong from the start on, each as `--fault` takes it: `cut:2s`. */
  readonly faults?: readonly string[] | undefined;
  /** Of 127.0.0.1. Default 0: any free one. */
  readonly port?: number | undefined;
  /** Where the store is kept, also when the fake ends. Default: a directory that is removed then. */
  readonly dataDir?: string | undefined;
  /** Tokens of which every call needs one, each with whom it stands for: `alice:TOKEN`. Default: none is needed. */
  readonly tokens?: readonly string[] | undefined;
  /** Settings of the service, such as `BREAKGLASS_DRAIN_SECONDS`. Default: none; the environment is not looked at. */
  readonly settings?: Environment | undefined;
  /** Takes the lines of the service's log, each with its newline. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * The service with an agent that plays a script, which fails when it is told to.
 *
 * What changes the server is done one after the other, in the order in which it is asked for.
 */
export class Fake implements AsyncDisposable {
  readonly #directory: FakeDirectory;
  readonly #server: FakeServer;
  readonly #serverFaults: ServerFaults;

  /** To be made by {@link startFake}. */
  constructor(directory: FakeDirectory, server: FakeServer, serverFaults: ServerFaults) {
    this.#directory = directory;
    this.#server = server;
    this.#serverFaults = serverFaults;
  }

  /** Such as `http://127.0.0.1:40123`. Stays the same, whatever happens to the server. */
  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Resolves with a defect that ended the server, for which it is no cause to be. */
  get defect(): Promise<Error> {
    return this.#server.defect;
  }

  /** Cuts every connection now. Answers how many there were. */
  cut(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "cut" });
  }

  /** Has every stream that is open now go silent, while its connection stays. Answers how many there were. */
  stall(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "stall" });
  }

  /** Says GOAWAY on every connection: what is under way goes on, and nothing new is taken there. Answers how many. */
  goAway(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "goaway" });
  }

  /** Ends every connection with GOAWAY and ENHANCE_YOUR_CALM. Answers how many there were. */
  calm(): Promise<number> {
    return this.#server.ask({ do: "now", kind: "calm" });
  }

  /** Plans more faults, each as `--fault` takes it. */
  async addFaults(...faults: readonly string[]): Promise<void> {
    const read = faults.map(readFault);
    this.#serverFaults.plan(read);
    await this.#server.plan(read);
  }

  /** Plans no faults any more. */
  async clearFaults(): Promise<void> {
    this.#serverFaults.clear();
    await this.#server.clear();
  }

  /** Gives the agent another script, from its next prompt on. */
  async setScript(script: string | ScriptDocument): Promise<void> {
    await this.#directory.writeScript(readScript(script));
  }

  /** Drains the server as SIGTERM does, and starts it again. Running turns get `BREAKGLASS_DRAIN_SECONDS`. */
  drain(): Promise<void> {
    return this.#server.drainAndStart();
  }

  /** Shuts the server down under its turns, which end as LOST (`SERVER_SHUTDOWN`), and starts it again. */
  lose(): Promise<void> {
    return this.#server.drainAndStart(0);
  }

  /** Kills the server and starts it again: the turns that ran end as LOST (`SERVER_RESTARTED`). */
  restart(): Promise<void> {
    return this.#server.restart();
  }

  /** Drains the server, and leaves it down. `graceMs`: how long turns get; default: as is set. */
  stop(graceMs?: number): Promise<void> {
    return this.#server.stop(graceMs);
  }

  /** Kills the server as `kill -9` does, and leaves it down. */
  kill(): Promise<void> {
    return this.#server.kill();
  }

  /** Starts the server again, on its store and its port. Nothing where it is there. */
  start(): Promise<void> {
    return this.#server.start();
  }

  /** Has the server read its files again, as SIGHUP does. */
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

  /** Ends it: no process of its agents is left, and no file but those of its `dataDir`. */
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
export async function startFake(options: FakeOptions = {}): Promise<Fake> {
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

function readScript(script: FakeOptions["script"]): Script {
  if (script === undefined) return DEFAULT_SCRIPT;
  return typeof script === "string" ? readScriptFile(script) : checkScript(script);
}
