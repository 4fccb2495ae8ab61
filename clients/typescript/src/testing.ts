/**
 * The service with an agent that plays a script, in process, for the tests of what calls it. Wants the package `breakglass`,
 * and the Node that it takes. What is written in a script and what goes wrong is in the service's `docs/fake.md`.
 *
 * @module
 */
import type { ScriptDocument } from "./testing/script-document.ts";

export type {
  ResultDocument,
  ScriptDocument,
  StepDocument,
  TextDocument,
  TurnDocument,
} from "./testing/script-document.ts";

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
  readonly settings?: Readonly<Record<string, string | undefined>> | undefined;
  /** Takes the lines of the service's log, each with its newline. */
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * The service with an agent that plays a script, which fails when it is told to.
 *
 * What changes the server is done one after the other, in the order in which it is asked for.
 */
export interface Fake extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. Stays the same, whatever happens to the server. */
  readonly url: string;
  readonly port: number;
  /** Resolves with a defect that ended the server, for which it is no cause to be. */
  readonly defect: Promise<Error>;
  /** Cuts every connection now. Answers how many there were. */
  cut(): Promise<number>;
  /** Has every stream that is open now go silent, while its connection stays. Answers how many there were. */
  stall(): Promise<number>;
  /** Says GOAWAY on every connection: what is under way goes on, and nothing new is taken there. Answers how many. */
  goAway(): Promise<number>;
  /** Ends every connection with GOAWAY and ENHANCE_YOUR_CALM. Answers how many there were. */
  calm(): Promise<number>;
  /** Plans more faults, each as `--fault` takes it. */
  addFaults(...faults: readonly string[]): Promise<void>;
  /** Plans no faults any more. */
  clearFaults(): Promise<void>;
  /** Gives the agent another script, from its next prompt on. */
  setScript(script: string | ScriptDocument): Promise<void>;
  /** Drains the server as SIGTERM does, and starts it again. Running turns get `BREAKGLASS_DRAIN_SECONDS`. */
  drain(): Promise<void>;
  /** Shuts the server down under its turns, which end as LOST (`SERVER_SHUTDOWN`), and starts it again. */
  lose(): Promise<void>;
  /** Kills the server and starts it again: the turns that ran end as LOST (`SERVER_RESTARTED`). */
  restart(): Promise<void>;
  /** Drains the server, and leaves it down. `graceMs`: how long turns get; default: as is set. */
  stop(graceMs?: number): Promise<void>;
  /** Kills the server as `kill -9` does, and leaves it down. */
  kill(): Promise<void>;
  /** Starts the server again, on its store and its port. Nothing where it is there. */
  start(): Promise<void>;
  /** Has the server read its files again, as SIGHUP does. */
  reload(): Promise<void>;
  /** Ends it: no process of its agents is left, and no file but those of its `dataDir`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The service's own part, which is not looked for until a fake is started. */
const SERVICE = "breakglass/fake";

/**
 * Starts a fake on 127.0.0.1.
 *
 * @throws Error where the service is not installed, or its Node is newer than this one.
 * @throws ConfigError for what cannot be used of the options, the script or the settings: a line for each mistake.
 */
export async function startFake(options: FakeOptions = {}): Promise<Fake> {
  const service = (await import(SERVICE).catch(explain)) as {
    startFake(options: FakeOptions): Promise<Fake>;
  };
  return await service.startFake(options);
}

function explain(cause: unknown): never {
  const { code, message } = cause as { readonly code?: string; readonly message?: string };
  if (code === "ERR_MODULE_NOT_FOUND" && message?.includes("'breakglass'")) {
    const advice = "the fake is the service itself: npm install --save-dev breakglass";
    throw new Error(advice, { cause });
  }
  throw cause;
}
