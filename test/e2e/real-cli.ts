import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BreakglassClient, createBreakglassClient, readTurnEvents } from "#client";
import { openGrpcConnection } from "#client/node";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { listProcesses, readEnvironmentVariable } from "../../src/agent/process/process-table.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { startBodyRecorder } from "../../src/drill/body-recorder.ts";
import type { Script } from "../../src/drill/script.ts";
import {
  type Pace,
  type ScriptedModel,
  startScriptedModel,
} from "../../src/drill/scripted-model.ts";
import { createLog } from "../../src/log.ts";
import { startServer } from "../../src/server/server.ts";

/** The real service and the real CLI, against a scripted model. */
export interface RealCli extends AsyncDisposable {
  readonly model: ScriptedModel;
  /** A client of the server that runs now. */
  readonly client: BreakglassClient;
  /** Where the CLI keeps its conversations. */
  readonly configDir: string;
  /** The bodies of the calls of the model, as the CLI sent them, oldest first. */
  readonly bodies: readonly string[];
  /** What runs with the CLI's configuration: the CLIs, and what they started. */
  processes(): number[];
  /** The CLIs themselves. */
  agents(): number[];
  /** Ends the server and starts another on the same data. */
  restart(): Promise<void>;
  /** Runs a turn to its end. */
  run(request: MessageInitShape<typeof RunTurnRequestSchema>): Promise<TurnEvent[]>;
}

/** Starts all of it in an environment and a directory of its own, which are gone afterwards. */
export async function startRealCli(
  script: Script,
  settings: Readonly<Record<string, string>> = {},
  pace: Pace = {},
): Promise<RealCli> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-e2e-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const model = await startScriptedModel(script, pace);
  cleanup.defer(() => model.stop());
  const recorder = cleanup.use(await startBodyRecorder(model.url));
  const environment = await scrubbedEnvironment(root, recorder.url, settings);
  const configDir = environment.CLAUDE_CONFIG_DIR ?? "";
  const serve = async () => {
    const server = await startServer(
      readServeConfig(environment),
      createLog(() => {}),
    );
    const connection = openGrpcConnection(server.url, undefined);
    const client = createBreakglassClient(connection.transport);
    const end = async () => {
      connection.close();
      await server.drain();
    };
    return { client, end };
  };
  let current = await serve();
  cleanup.defer(() => current.end());
  const owned = cleanup.move();
  return {
    model,
    bodies: recorder.bodies,
    configDir,
    processes: () => processesOf(configDir).map(({ pid }) => pid),
    agents: () =>
      processesOf(configDir).flatMap(({ pid, parent }) => (parent === process.pid ? pid : [])),
    get client() {
      return current.client;
    },
    async restart() {
      await current.end();
      current = await serve();
    },
    run: (request) => Array.fromAsync(readTurnEvents(current.client, { run: request })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function processesOf(configDir: string) {
  return listProcesses().filter(
    ({ pid }) =>
      pid !== process.pid && readEnvironmentVariable(pid, "CLAUDE_CONFIG_DIR") === configDir,
  );
}

async function scrubbedEnvironment(
  root: string,
  modelUrl: string,
  settings: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const home = join(root, "home");
  await mkdir(home);
  return {
    PATH: process.env.PATH ?? "",
    HOME: home,
    CLAUDE_CONFIG_DIR: join(home, ".claude"),
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: "made-up",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    IS_SANDBOX: "1",
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: join(root, "state"),
    ...settings,
  };
}
