import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBreakglassClient, readTurnEvents } from "#client";
import { openGrpcConnection } from "#client/node";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import { readSearchPath } from "../config/environment.ts";
import { readServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { startServer } from "../server.ts";
import { missing } from "./expectations.ts";
import { brokenConfig, repairScenario } from "./scenario.ts";
import { startScriptedModel } from "./scripted-model.ts";

/** Who watches a drill. */
export interface Audience {
  /** A turn is about to run. */
  prompt(prompt: string): Promise<void>;
  /** An event arrived. */
  event(event: TurnEvent): Promise<void>;
  /** The service's own log. */
  readonly log: Log;
  /** Ends the drill early. */
  readonly signal: AbortSignal;
}

/**
 * Rehearses a repair and a turn that remembers it: the real service, the real agent and a real gRPC client, against a
 * scripted model on loopback, in a directory and an environment of its own. Leaves nothing behind.
 *
 * @returns what did not come; empty where the drill succeeded.
 * @throws whatever kept it from being carried out, such as a ConnectError.
 */
export async function runDrill(audience: Audience): Promise<string[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-drill-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const configPath = join(root, "gateway.conf");
  const serial = randomUUID();
  await writeFile(configPath, brokenConfig(serial));

  const { script, repairPrompt, recallPrompt } = repairScenario(configPath);
  const model = await startScriptedModel(script, { latencyMs: 10 });
  cleanup.defer(() => model.stop());
  const server = await startServer(await drillConfig(root, model.url), audience.log);
  cleanup.defer(() => server.drain());
  const connection = openGrpcConnection(server.url, undefined);
  cleanup.defer(() => connection.close());

  const client = createBreakglassClient(connection.transport);
  const sessionId = randomUUID();
  const take = async (prompt: string) => {
    const events: TurnEvent[] = [];
    await audience.prompt(prompt);
    for await (const event of readTurnEvents(
      client,
      { run: { sessionId, prompt } },
      audience.signal,
    )) {
      events.push(event);
      await audience.event(event);
    }
    return events;
  };
  const repair = await take(repairPrompt);
  const recall = await take(recallPrompt);
  return missing({ serial, config: await readFile(configPath, "utf8"), repair, recall });
}

// Nothing of the caller's environment but PATH: no credentials, no settings, no server address.
async function drillConfig(root: string, modelUrl: string) {
  const home = join(root, "home");
  await mkdir(home);
  return readServeConfig({
    PATH: readSearchPath(),
    HOME: home,
    ANTHROPIC_BASE_URL: modelUrl,
    ANTHROPIC_API_KEY: "drill",
    CLAUDE_CONFIG_DIR: join(home, ".claude"),
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    IS_SANDBOX: "1",
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: join(root, "state"),
    BREAKGLASS_TURN_TIMEOUT_SECONDS: "120",
  });
}
