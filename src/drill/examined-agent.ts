import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BreakglassClient, createBreakglassClient, readTurnEvents } from "#client";
import { openGrpcConnection } from "#client/node";
import type { RunTurnRequestSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { readSearchPath } from "../config/environment.ts";
import { readServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { startServer } from "../server/server.ts";
import { startBodyRecorder } from "./body-recorder.ts";
import type { Script } from "./script.ts";
import { startScriptedModel } from "./scripted-model.ts";

/** A turn of an examination may take so long; the CLI's first may take seconds. */
const TURN_SECONDS = "60";

/** What is done when an event comes. */
export type Reaction = (event: TurnEvent, client: BreakglassClient) => Promise<void>;

/** The real service with the CLI that is examined, and a scripted model, in a directory and an environment of their own. */
export interface ExaminedAgent extends AsyncDisposable {
  /** Its directory. */
  readonly root: string;
  /** The CLI's own configuration. */
  readonly configDir: string;
  /** The file that a command waits for. */
  readonly gate: string;
  /** Runs a turn to its end, one that fails too. */
  run(
    request: MessageInitShape<typeof RunTurnRequestSchema>,
    react?: Reaction,
  ): Promise<TurnEvent[]>;
  /** Ends the server, with all processes, and starts another on the same data. */
  restart(): Promise<void>;
  /** What the model was asked, by a person. */
  prompts(): readonly string[];
  /** Whether the model was sent a text, in whatever form. */
  saw(text: string): boolean;
}

/**
 * Starts it. Nothing of it is left at its end.
 *
 * @param scriptOf - What the model does, by the file that a command waits for.
 * @param command - The CLI's executable. Undefined: the one that is served with.
 */
export async function examineAgent(
  scriptOf: (gate: string) => Script,
  command: string | undefined,
  log: Log,
  signal: AbortSignal,
): Promise<ExaminedAgent> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-doctor-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const gate = join(root, "gate");
  const model = await startScriptedModel(scriptOf(gate), { latencyMs: 5 });
  cleanup.defer(() => model.stop());
  const recorder = cleanup.use(await startBodyRecorder(model.url));
  const configDir = join(root, "home", ".claude");
  await mkdir(configDir, { recursive: true });
  const config = readServeConfig(environment(root, configDir, recorder.url, command));
  let service = await open();
  cleanup.defer(() => service.close());
  const owned = cleanup.move();
  return {
    ...{ root, configDir, gate },
    run: async (run, react = async () => {}) => {
      const events: TurnEvent[] = [];
      for await (const event of readTurnEvents(service.client, { run }, signal)) {
        events.push(event);
        await react(event, service.client);
      }
      return events;
    },
    restart: async () => {
      await service.close();
      service = await open();
    },
    prompts: () => model.requests.flatMap(({ conversation }) => conversation.prompts),
    saw: (text) => recorder.bodies.some((body) => body.includes(text)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };

  async function open() {
    const server = await startServer(config, log);
    const connection = openGrpcConnection(server.url, undefined);
    return {
      client: createBreakglassClient(connection.transport),
      close: async () => {
        connection.close();
        await server.drain();
      },
    };
  }
}

// Nothing of the caller's environment but PATH: no credentials, no settings, no server address.
function environment(root: string, configDir: string, modelUrl: string, command?: string) {
  return {
    PATH: readSearchPath(),
    HOME: join(root, "home"),
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: "doctor",
    CLAUDE_CONFIG_DIR: configDir,
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    IS_SANDBOX: "1",
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: join(root, "state"),
    BREAKGLASS_TURN_TIMEOUT_SECONDS: TURN_SECONDS,
    ...(command === undefined ? {} : { BREAKGLASS_AGENT_COMMAND: command }),
  };
}
