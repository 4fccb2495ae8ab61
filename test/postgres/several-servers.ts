import { processesWith } from "../support/processes.ts";
import { connect, type TestClient } from "../support/protocols.ts";
import { type ServeProcess, startServeProcess } from "../support/serve-process.ts";
import {
  createTestEnvironment,
  MARKER,
  type TestEnvironment,
} from "../support/test-environment.ts";
import type { TestDatabase } from "./databases.ts";

/** As short as they may be on a busy machine. */
export const LEASE = {
  BREAKGLASS_LEASE_RENEW_SECONDS: "1",
  BREAKGLASS_LEASE_GRACE_SECONDS: "4",
  BREAKGLASS_LEASE_SECONDS: "14",
};

/** One of several servers on a database, in a process and on a disk of its own. */
export interface Replica extends AsyncDisposable {
  readonly environment: TestEnvironment;
  readonly process: ServeProcess;
  readonly client: TestClient["client"];
  /** Its agents' processes that live now, those that outlive it too. */
  agents(): number[];
  /** Starts another one on the same disk. This one has ended. */
  again(): Promise<Replica>;
}

/** Starts a server on a database. */
export async function startReplica(
  database: Pick<TestDatabase, "url">,
  settings: Readonly<Record<string, string>> = {},
): Promise<Replica> {
  const environment = await createTestEnvironment({
    BREAKGLASS_STORE: database.url,
    ...LEASE,
    ...settings,
  });
  return startOn(environment);
}

async function startOn(environment: TestEnvironment): Promise<Replica> {
  const process = await startServeProcess(environment.variables);
  const connection = connect(process.url);
  const marker = environment.variables[MARKER]!;
  return {
    ...{ environment, process, client: connection.client },
    agents: () => processesWith(MARKER, marker).filter((pid) => pid !== process.pid),
    async again() {
      connection[Symbol.dispose]();
      return startOn(environment);
    },
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      await process[Symbol.asyncDispose]();
      for (const pid of processesWith(MARKER, marker)) killed(pid);
      await environment[Symbol.asyncDispose]();
    },
  };
}

/** An agent that outlives its server, as where that was killed. */
function killed(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}
