import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BreakglassClient, createBreakglassClient } from "#client";
import { openGrpcConnection } from "#client/node";
import type { Environment } from "../config/environment.ts";
import { startLocalPostgres } from "../replicas/local-postgres.ts";
import { type Replicas, startReplicas } from "../replicas/replicas.ts";
import { lockOf, type ReplicasScenario, replicasScenario } from "./replicas-scenario.ts";
import { brokenConfig } from "./scenario.ts";
import { startScriptedModel } from "./scripted-model.ts";
import { drillEnvironment } from "./stage.ts";

/** A machine that is broken, and several servers on one database that repair it. */
export interface ReplicasStage extends AsyncDisposable {
  readonly replicas: Replicas;
  readonly scenario: ReplicasScenario;
  /** The file that is to be repaired. */
  readonly configPath: string;
  /** What only this machine knows. */
  readonly serial: string;
}

/** What a drill of several servers is set up with. */
export interface ReplicasStageOptions {
  readonly count: number;
  /** Further settings of each. */
  readonly settings?: Environment;
  /** Is told of each line of their logs. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Sets it up, in directories and environments of their own, of which nothing is left.
 *
 * @throws NoPostgresError
 */
export async function openReplicasStage(options: ReplicasStageOptions): Promise<ReplicasStage> {
  const { count, log, signal, settings = {} } = options;
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-drill-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true, maxRetries: 3 }));
  const configPath = join(root, "gateway.conf");
  const serial = randomUUID();
  await writeFile(configPath, brokenConfig(serial));
  await writeFile(lockOf(configPath), "");
  const scenario = replicasScenario(configPath);
  const model = await startScriptedModel(scenario.script, { latencyMs: 10 });
  cleanup.defer(() => model.stop());
  const environment = (folder: string, port: number) => {
    mkdirSync(join(folder, "home"), { recursive: true });
    return defined({
      ...drillEnvironment(folder, model.url),
      BREAKGLASS_LISTEN: `127.0.0.1:${port}`,
      // Three of them would hold their reserves of one disk.
      BREAKGLASS_RESERVE_BYTES: "0",
      // What runs at the end of the drill is not waited for.
      BREAKGLASS_DRAIN_SECONDS: "0",
      BREAKGLASS_LOG_LEVEL: "warn",
      ...settings,
    });
  };
  const postgres = cleanup.use(await startLocalPostgres(signal));
  const store = await postgres.createDatabase();
  const args = () => ["serve"];
  const running = { count, root, store, args, environment, log, signal, ending: "drain" } as const;
  const replicas = cleanup.use(await startReplicas(running));
  const owned = cleanup.move();
  return {
    ...{ replicas, scenario, configPath, serial },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Where a server whose disk is a folder makes workspaces. */
export function sessionsDir(folder: string): string {
  return join(folder, "state", "sessions");
}

function defined(environment: Environment): Record<string, string> {
  const entries = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(entries);
}

/** Calls a server over a connection of its own. */
export async function withClient<T>(
  url: string,
  use: (client: BreakglassClient) => Promise<T>,
): Promise<T> {
  const connection = openGrpcConnection(url, undefined);
  try {
    return await use(createBreakglassClient(connection.transport));
  } finally {
    connection.close();
  }
}
