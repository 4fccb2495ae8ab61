import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { readSearchPath } from "../config/environment.ts";
import { ended, endProcess } from "./child-process.ts";

const run = promisify(execFile);
/** Where Debian has PostgreSQL, a folder for each version. */
const DEBIANS = "/usr/lib/postgresql";
const OLDEST = 15;
/** PostgreSQL refuses root. */
const NOBODY = 65_534;
/** The service's own: no superuser. */
const USER = "breakglass";
const START_MS = 60_000;
const LOOK_MS = 50;
/** Behind SIGINT, by which it ends its connections, flushes and goes. */
const STOP_MS = 20_000;

/** A PostgreSQL in a temporary directory, reached by a socket in there that its user alone, and root, can open. */
export interface LocalPostgres extends AsyncDisposable {
  /** Makes an empty database. Answers what `BREAKGLASS_STORE` is to be. */
  createDatabase(): Promise<string>;
}

/** There is none on this machine. */
export class NoPostgresError extends Error {
  constructor() {
    super(
      "several replicas take PostgreSQL 15 or newer, and there is none here: apt-get install postgresql",
    );
  }
}

/**
 * The folder with the programs of the newest PostgreSQL that is installed.
 *
 * @throws NoPostgresError
 */
export async function findPostgres(
  debians = DEBIANS,
  searchPath = readSearchPath(),
): Promise<string> {
  const versions = (await readdir(debians).catch(() => [])).map(Number);
  const fit = versions.filter((version) => version >= OLDEST);
  const newest = fit.toSorted((one, other) => other - one)[0];
  if (newest !== undefined) return join(debians, String(newest), "bin");
  for (const folder of searchPath.split(delimiter)) {
    if (await hasPostgres(folder)) return folder;
  }
  throw new NoPostgresError();
}

async function hasPostgres(folder: string): Promise<boolean> {
  try {
    await access(join(folder, "initdb"));
    const { stdout } = await run(join(folder, "postgres"), ["--version"]);
    return Number(/\d+/.exec(stdout)?.[0]) >= OLDEST;
  } catch {
    return false;
  }
}

/**
 * Starts one. Nothing is left of it at its end.
 *
 * @param signal - Ends the start.
 * @throws NoPostgresError
 */
export async function startLocalPostgres(signal: AbortSignal): Promise<LocalPostgres> {
  const bin = await findPostgres();
  await using cleanup = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "breakglass-replicas-"));
  cleanup.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(folder, NOBODY, NOBODY);
  const itself = {
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    env: { PATH: readSearchPath(), LC_ALL: "C" },
    cwd: folder,
  };
  const data = join(folder, "data");
  // Whoever gets as far as the socket is its user, or root: the folder is closed to all others.
  const made = ["-D", data, "-U", "admin", "--auth=trust", "--no-sync", "-E", "UTF8"];
  await run(join(bin, "initdb"), made, { ...itself, signal });
  const settings = [
    "listen_addresses=",
    `unix_socket_directories=${folder}`,
    "shared_buffers=32MB",
  ];
  const args = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  // In a session of its own: Ctrl-C is for whoever started it, who ends it in its turn.
  const child = spawn(join(bin, "postgres"), args, { ...itself, stdio: "ignore", detached: true });
  cleanup.defer(() => endProcess(child, "SIGINT", STOP_MS, "SIGQUIT"));
  await once(child, "spawn");
  const query = (sql: string) => ask(folder, sql);
  await untilUp(() => query(`CREATE ROLE ${USER} LOGIN`), ended(child), signal);
  const owned = cleanup.move();
  let databases = 0;
  return {
    async createDatabase() {
      const name = `${USER}_${++databases}`;
      await query(`CREATE DATABASE ${name} OWNER ${USER}`);
      return `postgres://${USER}@/${name}?host=${encodeURIComponent(folder)}`;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function ask(folder: string, sql: string): Promise<void> {
  const client = new pg.Client({ host: folder, user: "admin", database: "postgres" });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Asks until it is answered. */
async function untilUp(
  ask: () => Promise<void>,
  gone: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
  let isGone = false;
  void gone.then(() => {
    isGone = true;
  });
  for (;;) {
    const error = await ask().then(
      () => undefined,
      (failure: Error) => failure,
    );
    if (error === undefined) return;
    if (isGone) throw new Error("PostgreSQL ended as it started");
    signal.throwIfAborted();
    if (late.aborted) throw new Error(`PostgreSQL did not come up: ${error.message}`);
    await delay(LOOK_MS);
  }
}
