import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BreakglassClient, createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import { type Environment, readSearchPath } from "../config/environment.ts";
import { readServeConfig } from "../config/serve-config.ts";
import type { Log } from "../log.ts";
import { startServer } from "../server/server.ts";
import { brokenConfig, repairScenario, type Scenario } from "./scenario.ts";
import { type Pace, startScriptedModel } from "./scripted-model.ts";

/** A machine that is broken, and what repairs it: the real service and agent, and a scripted model on loopback. */
export interface DrillStage extends AsyncDisposable {
  /** Of the service. */
  readonly url: string;
  readonly client: BreakglassClient;
  readonly scenario: Scenario;
  /** The file that is to be repaired. */
  readonly configPath: string;
  /** What only this machine knows. */
  readonly serial: string;
}

/**
 * Sets it up, in a directory and an environment of its own, of which nothing is left.
 *
 * @param settings - Further settings of the service.
 */
export async function openDrillStage(
  log: Log,
  pace: Pace,
  settings: Environment = {},
): Promise<DrillStage> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-drill-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const configPath = join(root, "gateway.conf");
  const serial = randomUUID();
  await writeFile(configPath, brokenConfig(serial));
  const scenario = repairScenario(configPath);
  const model = await startScriptedModel(scenario.script, pace);
  cleanup.defer(() => model.stop());
  const server = await startServer(await drillConfig(root, model.url, settings), log);
  cleanup.defer(() => server.drain());
  const connection = openGrpcConnection(server.url, undefined);
  cleanup.defer(() => connection.close());
  const client = createBreakglassClient(connection.transport);
  const owned = cleanup.move();
  return {
    ...{ url: server.url, client, scenario, configPath, serial },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function drillConfig(root: string, modelUrl: string, settings: Environment) {
  await mkdir(join(root, "home"));
  return readServeConfig({ ...drillEnvironment(root, modelUrl), ...settings });
}

/**
 * The variables of a server whose disk is a folder. Nothing of the caller's environment but PATH: no credentials, no settings, no
 * server address.
 */
export function drillEnvironment(root: string, modelUrl: string): Record<string, string> {
  const home = join(root, "home");
  return {
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
  };
}
