import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chown, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);
/** Where Debian has PostgreSQL, a folder for each version. */
const DEBIANS = "/usr/lib/postgresql";
const OLDEST = 15;
/** PostgreSQL refuses root. */
export const NOBODY = 65_534;
/** No superuser: what a service is to be. */
export const USER = "breakglass";

/** What the tests are told of the cluster that they share. Undefined: there is no PostgreSQL here. */
export interface SharedCluster {
  readonly adminUrl: string;
  readonly url: string;
}

/** A PostgreSQL of the tests' own, on loopback. */
export interface Cluster extends AsyncDisposable {
  readonly port: number;
  /** Of its first process, which is the parent of all others. */
  readonly pid: number;
  readonly password: string;
  /** Of its superuser. */
  readonly adminUrl: string;
  /** The address of a database. */
  urlOf(database: string): string;
  /** Ends it at once, as a machine that goes down does, or in good order. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  /** As its superuser. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>;
}

/** The newest PostgreSQL that is installed, from 15 on; undefined where there is none. */
export async function findPostgres(): Promise<string | undefined> {
  const names = await readdir(DEBIANS).catch(() => []);
  const versions = names.map(Number).filter((version) => version >= OLDEST);
  const newest = versions.toSorted((one, other) => other - one)[0];
  return newest === undefined ? undefined : join(DEBIANS, String(newest), "bin");
}

/**
 * @param settings - Of postgresql.conf, beside those of a test.
 * @param primary - Whose standby it is to be.
 */
export async function startCluster(
  bin: string,
  settings: Readonly<Record<string, string>> = {},
  primary?: Cluster,
): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "breakglass-pg-"));
  const isRoot = process.getuid?.() === 0;
  const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
  const password = primary?.password ?? randomUUID();
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, password);
  if (isRoot) for (const path of [folder, passwordFile]) await chown(path, NOBODY, NOBODY);
  const data = join(folder, "data");
  const env = { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8" };
  const asItself = { ...as, env, cwd: folder };
  if (primary === undefined) {
    const auth = ["-U", "admin", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
    await run(join(bin, "initdb"), ["-D", data, ...auth, "--no-sync", "-E", "UTF8"], asItself);
  } else {
    const copied = ["-R", "-X", "stream", "-c", "fast", "--no-sync"];
    await run(
      join(bin, "pg_basebackup"),
      ["-D", data, "-d", primary.adminUrl, ...copied],
      asItself,
    );
  }
  const port = await freePort();
  const options = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: folder,
    max_connections: "200",
    shared_buffers: "32MB",
    fsync: "off",
    ...settings,
  };
  const args = Object.entries(options).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  let server: ChildProcess | undefined;
  const adminUrl = `postgres://admin:${password}@127.0.0.1:${port}/postgres`;
  const query = async (sql: string, database = "postgres") => {
    const client = new pg.Client(adminUrl.replace(/postgres$/, database));
    client.on("error", () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    server = spawn(join(bin, "postgres"), ["-D", data, ...args], {
      ...asItself,
      stdio: "ignore",
    });
    for (;;) {
      const isUp = await query("SELECT 1").then(
        () => true,
        () => false,
      );
      if (isUp) return;
      if (server.exitCode !== null) throw new Error("PostgreSQL does not start");
      await delay(50);
    }
  };
  const stop = async (signal: NodeJS.Signals = "SIGINT") => {
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server?.once("exit", resolve));
    server.kill(signal);
    await ended;
  };
  await start();
  if (primary === undefined) await query(`CREATE ROLE ${USER} LOGIN PASSWORD '${password}'`);
  return {
    port,
    get pid() {
      return server?.pid ?? 0;
    },
    password,
    adminUrl,
    urlOf: (database) => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`,
    stop,
    start,
    query,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
