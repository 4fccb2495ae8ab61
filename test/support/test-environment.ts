import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMPILE_CACHE } from "./compile-cache.ts";

/** The agent that does what its prompt says. */
export const SCRIPTED_AGENT = fileURLToPath(
  new URL("../fixtures/scripted-agent.ts", import.meta.url),
);

/** A variable that the agents of one test server carry, so that they can be found. */
export const MARKER = "TEST_SERVER_ID";

/** A directory and an environment of a server's own. */
export interface TestEnvironment extends AsyncDisposable {
  /** Holds everything that the server and its agents write. */
  readonly root: string;
  /** The server's variables, all of them. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Makes them; `settings` are further variables, or others. */
export async function createTestEnvironment(
  settings: Readonly<Record<string, string>> = {},
): Promise<TestEnvironment> {
  const root = await mkdtemp(join(tmpdir(), "breakglass-test-"));
  const variables = {
    // The agents' `#!/usr/bin/env node` must find this Node, which runs TypeScript.
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    HOME: root,
    ...COMPILE_CACHE,
    [MARKER]: randomUUID(),
    BREAKGLASS_LISTEN: "127.0.0.1:0",
    BREAKGLASS_DATA_DIR: join(root, "data"),
    BREAKGLASS_AGENT_COMMAND: SCRIPTED_AGENT,
    BREAKGLASS_AGENT_ENV: [MARKER, ...Object.keys(COMPILE_CACHE)].join(),
    // A process for each turn, which ends with it; tests of the processes that are kept set their own.
    BREAKGLASS_MAX_WARM_PROCESSES: "0",
    // Tests of it set their own: it takes as much room on the disk.
    BREAKGLASS_RESERVE_BYTES: "0",
    // Tests of the drain's grace set their own.
    BREAKGLASS_DRAIN_SECONDS: "0",
    ...settings,
  };
  return {
    root,
    variables,
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true, maxRetries: 3 }),
  };
}
