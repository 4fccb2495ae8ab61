import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Balancer, startBalancer } from "./balancer.ts";
import {
  freePort,
  type ReplicaOptions,
  type ReplicaProcess,
  startReplicaProcess,
} from "./replica-process.ts";

type Variables = Readonly<Record<string, string>>;

/** Several servers on one database, with a door between them, behind a balancer. */
export interface Replicas extends AsyncDisposable {
  /** Of the balancer. */
  readonly url: string;
  readonly balancer: Balancer;
  readonly each: readonly ReplicaProcess[];
  /** Their disks, in the same order. */
  readonly folders: readonly string[];
}

/** How they are set up. */
export interface ReplicasOptions extends Pick<ReplicaOptions, "ending"> {
  /** What `BREAKGLASS_STORE` is to be: an empty database. */
  readonly store: string;
  readonly count: number;
  /** Where their disks are: a folder for each. */
  readonly root: string;
  /** The command of one, by its folder and its port. */
  readonly args: (folder: string, port: number) => readonly string[];
  /** Its variables, beside those by which it finds the database and the others. */
  readonly environment: (folder: string, port: number) => Variables;
  readonly log: (line: string) => void;
  /** Ends the start. */
  readonly signal: AbortSignal;
}

/** As short as they may be on a busy machine: a server that was killed is waited for so long. */
export const LEASE_SECONDS = 14;
const ATTEMPTS = 5;
const LEASE: Variables = {
  BREAKGLASS_LEASE_RENEW_SECONDS: "1",
  BREAKGLASS_LEASE_GRACE_SECONDS: "4",
  BREAKGLASS_LEASE_SECONDS: String(LEASE_SECONDS),
};

/** Starts them all. Nothing of them runs at their end. */
export async function startReplicas(options: ReplicasOptions): Promise<Replicas> {
  const { count, root, signal } = options;
  await using cleanup = new AsyncDisposableStack();
  const secret = join(root, "cluster-secret");
  await writeFile(secret, randomBytes(32).toString("hex"), { mode: 0o600 });
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  const start = async (number: number) => {
    await mkdir(folderOf(root, number));
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      try {
        return await startReplica(number, options, secret);
      } catch (error) {
        // Another program has taken a port meanwhile.
        if (attempt === ATTEMPTS || !String(error).includes("EADDRINUSE")) throw error;
      }
    }
  };
  // The first makes the schema.
  const each = cleanup.adopt([await start(1)], endAll);
  const others = await Promise.allSettled(numbers.slice(1).map(start));
  for (const other of others) if (other.status === "fulfilled") each.push(other.value);
  for (const other of others) if (other.status === "rejected") throw other.reason;
  const balancer = cleanup.use(await startBalancer(each.map(({ port }) => port)));
  const owned = cleanup.move();
  return {
    url: balancer.url,
    ...{ balancer, each },
    folders: each.map((_, index) => folderOf(root, index + 1)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startReplica(
  number: number,
  { root, args, environment, log, store, ending }: ReplicasOptions,
  secret: string,
): Promise<ReplicaProcess> {
  const folder = folderOf(root, number);
  const among: Variables = {
    ...LEASE,
    BREAKGLASS_STORE: store,
    BREAKGLASS_CLUSTER_LISTEN: `127.0.0.1:${await freePort()}`,
    BREAKGLASS_CLUSTER_SECRET_FILE: secret,
  };
  return startReplicaProcess({
    args: (port) => args(folder, port),
    environment: (port) => ({ ...among, ...environment(folder, port) }),
    log: (line) => log(`replica ${number}: ${line}`),
    ending,
  });
}

function folderOf(root: string, number: number): string {
  return join(root, `replica-${number}`);
}

/** All at once; rejects with the first that could not be ended, when all others are. */
async function endAll(each: readonly ReplicaProcess[]): Promise<void> {
  const ends = await Promise.allSettled(each.map((replica) => replica[Symbol.asyncDispose]()));
  const failed = ends.find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
