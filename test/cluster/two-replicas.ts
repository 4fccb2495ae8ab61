import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Home, Homes } from "../../src/cluster/homes.ts";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { createLog } from "../../src/log.ts";
import type { Interposed } from "../../src/server/listening.ts";
import type { Server } from "../../src/server/running-server.ts";
import { startServer } from "../../src/server/server.ts";
import { freePort } from "../support/free-port.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

type Variables = Readonly<Record<string, string>>;

/** One server of several. */
export interface Replica extends AsyncDisposable {
  readonly url: string;
  /** What the others reach it by. */
  readonly address: string;
  /** Holds everything that it and its agents write. */
  readonly root: string;
  readonly log: readonly string[];
  readonly server: Server;
}

/** Two servers, each with a store of its own: everything is at home on the one. */
export interface TwoReplicas extends AsyncDisposable {
  /** The one that clients call. It knows of nothing. */
  readonly first: Replica;
  readonly home: Replica;
  /** The file of what they know each other by. */
  readonly secret: string;
  /** Where the first takes the home to be. May be changed. */
  readonly place: { -readonly [P in keyof Home]: Home[P] };
  /** Where the home takes everything to be. Undefined: with itself. */
  homePlace: Home | undefined;
}

/** Starts them. Disposing rejects where one of them logged a defect. */
export async function startTwoReplicas(
  settings: Variables = {},
  ofHome: Variables = settings,
): Promise<TwoReplicas> {
  await using cleanup = new AsyncDisposableStack();
  const { root, variables } = cleanup.use(await createTestEnvironment());
  const secret = join(root, "cluster-secret");
  await writeFile(secret, randomBytes(32).toString("hex"), { mode: 0o600 });
  const proof: Variables = settings.BREAKGLASS_CLUSTER_CERT_FILE
    ? {}
    : { BREAKGLASS_CLUSTER_SECRET_FILE: secret };
  const start = async (name: string, more: Variables, homes: Homes) => {
    const replica = await startReplica(
      join(root, name),
      { ...variables, ...proof, ...more },
      homes,
    );
    return cleanup.use(replica);
  };
  let homePlace: Home | undefined;
  const homes = homesAt("home", async () => homePlace);
  const home = await start("home", ofHome, homes);
  const place = { owner: "home", address: home.address, isPresent: true };
  const first = await start(
    "first",
    settings,
    homesAt("first", async () => place),
  );
  const owned = cleanup.move();
  return {
    ...{ first, home, secret, place },
    get homePlace() {
      return homePlace;
    },
    set homePlace(next) {
      homePlace = next;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function homesAt(owner: string, home: () => Promise<Home | undefined>): Homes {
  return { owner, runsHere: () => false, homeOfSession: home, homeOfTurn: home };
}

/** Starts one in a directory of its own. */
export async function startReplica(
  root: string,
  variables: Variables,
  homes: Homes,
): Promise<Replica> {
  const log: string[] = [];
  const address = `127.0.0.1:${await freePort()}`;
  const config = readServeConfig({
    ...variables,
    BREAKGLASS_DATA_DIR: join(root, "data"),
    BREAKGLASS_CLUSTER_LISTEN: address,
  });
  const interposed: Interposed = {
    listener: (answer) => answer,
    admissions: (admissionOf) => admissionOf,
    trustsEveryone: false,
    homes,
  };
  const server = await startServer(
    config,
    createLog((line) => void log.push(line)),
    undefined,
    undefined,
    interposed,
  );
  return {
    ...{ url: server.url, address, root, log, server },
    async [Symbol.asyncDispose]() {
      await server.drain(0);
      const defects = log.filter((line) => line.includes("defect"));
      if (defects.length > 0) throw new Error(`${defects.length} defects: ${defects[0]}`);
    },
  };
}
