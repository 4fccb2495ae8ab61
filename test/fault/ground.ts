import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTestEnvironment, type TestEnvironment } from "../support/test-environment.ts";

const AGENT = fileURLToPath(new URL("fault-agent.pl", import.meta.url));

/** Where a fault is brought about: a directory, and a server's variables. Its path is in the arguments of its agents. */
export interface Ground extends TestEnvironment {
  /** Keeps the directory when everything else is disposed of, so that somebody can look into it. */
  keep(): void;
}

/** Makes one for `fault-agent.pl`; `settings` are further variables of the server, or others. */
export async function createGround(
  settings: Readonly<Record<string, string>> = {},
): Promise<Ground> {
  const environment = await createTestEnvironment();
  const agent = join(environment.root, "agent");
  await symlink(AGENT, agent);
  const variables = { ...environment.variables, BREAKGLASS_AGENT_COMMAND: agent, ...settings };
  let kept = false;
  return {
    root: environment.root,
    variables,
    keep() {
      kept = true;
    },
    async [Symbol.asyncDispose]() {
      if (!kept) await environment[Symbol.asyncDispose]();
    },
  };
}
