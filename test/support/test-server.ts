import { createHash } from "node:crypto";
import { readServeConfig } from "../../src/config/serve-config.ts";
import { createLog } from "../../src/log.ts";
import type { Server } from "../../src/server/running-server.ts";
import { planAgents } from "../../src/server/served-agents.ts";
import { startServer } from "../../src/server/server.ts";
import { processesWith } from "./processes.ts";
import { createTestEnvironment, MARKER } from "./test-environment.ts";

/** The real server with an agent that does what its prompt says, in a directory of its own. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Holds everything that the server and its agents write. */
  readonly root: string;
  /** The lines of its log. */
  readonly log: readonly string[];
  /** The agents' processes that live now. */
  processes(): number[];
  /** Ends the streams, the turns and the server. */
  drain(): Promise<void>;
  /** Drains, and starts another server on the same data. */
  restart(settings?: Readonly<Record<string, string>>, plan?: typeof planAgents): Promise<void>;
}

/**
 * Starts it; `settings` are variables of its environment, `plan` says which agents it has.
 *
 * Disposing rejects where the server logged a defect of its own: no test is passed by one that goes unseen.
 */
export async function startTestServer(
  settings: Readonly<Record<string, string>> = {},
  plan = planAgents,
): Promise<TestServer> {
  await using cleanup = new AsyncDisposableStack();
  const { root, variables } = cleanup.use(await createTestEnvironment(settings));
  const log: string[] = [];
  const start = (
    more: Readonly<Record<string, string>> = {},
    agents: typeof planAgents = plan,
  ): Promise<Server> =>
    startServer(
      readServeConfig({ ...variables, ...more }),
      createLog((line) => void log.push(line)),
      undefined,
      agents,
    );
  let server = await start();
  cleanup.defer(() => server.drain());
  const owned = cleanup.move();
  return {
    get url() {
      return server.url;
    },
    root,
    log,
    processes: () => processesWith(MARKER, variables[MARKER] ?? ""),
    drain: () => server.drain(),
    async restart(more, agents) {
      await server.drain();
      server = await start(more, agents);
    },
    async [Symbol.asyncDispose]() {
      await owned.disposeAsync();
      const defects = log.filter((line) => line.includes("defect"));
      if (defects.length > 0) {
        throw new Error(`the server logged ${defects.length} defects, the first: ${defects[0]}`);
      }
    },
  };
}

/** A line of a tokens file. */
export function tokenLine(token: string, principal: string): string {
  return `sha256:${createHash("sha256").update(token).digest("hex")} ${principal}\n`;
}
