import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import type { Obstacle } from "../../obstacle.ts";
import type { AgentInspection } from "../inspection.ts";
import { askProgram } from "../process/ask-program.ts";
import type { LaunchUser } from "../process/cgroup.ts";

/** What is looked at. */
export interface InspectedCli {
  /** An absolute path; undefined where a name is on no folder of PATH now. */
  readonly path: string | undefined;
  /** As it was configured. */
  readonly command: string;
  /** Arguments before those of the CLI. */
  readonly leadingArguments: readonly string[];
  /** What the CLI is started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Whom the CLI runs as: what its home holds is that user's. Undefined: the server's own user. */
  readonly user: LaunchUser | undefined;
  /** Where the CLI keeps what it was logged in with. */
  readonly directory: string;
}

/** A cold start of the CLI takes some 300 ms; of one on a slow disk some seconds. */
const VERSION_MS = 15_000;
const VERSION = /\d+\.\d+\.\d+\S*/;

/** Variables that hold a credential, or say that another provider's are used. */
const CREDENTIALS = [
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_AUTH_TOKEN",
  "CLAUDE_CODE_OAUTH_TOKEN",
  "CLAUDE_CODE_USE_BEDROCK",
  "CLAUDE_CODE_USE_VERTEX",
  "CLAUDE_CODE_USE_FOUNDRY",
];

/** Starts the CLI for its version, and looks whether it has credentials. Takes 15 s at most. Never rejects. */
export async function inspectCli(cli: InspectedCli): Promise<AgentInspection> {
  return {
    ...(await versionOf(cli)),
    unauthenticated: hasCredentials(cli) ? undefined : NO_CREDENTIALS,
  };
}

async function versionOf({ path, command, leadingArguments, environment, user }: InspectedCli) {
  if (path === undefined) return { version: "", broken: notFound(command) };
  const args = [...leadingArguments, "--version"];
  const answer = await askProgram({ path, args, environment, user, withinMs: VERSION_MS });
  const version = "stdout" in answer ? VERSION.exec(answer.stdout)?.[0] : undefined;
  if (version !== undefined) return { version, broken: undefined };
  const failure = "failure" in answer ? answer.failure : "says no version";
  const mend =
    "run it by hand as the server's user, or set BREAKGLASS_AGENT_COMMAND to another CLI";
  return { version: "", broken: { why: `${path} --version ${failure}`, mend } };
}

function hasCredentials({ environment, directory }: InspectedCli): boolean {
  if (CREDENTIALS.some((name) => environment[name])) return true;
  try {
    accessSync(join(directory, ".credentials.json"), constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function notFound(command: string): Obstacle {
  const mend = "install the CLI, or set BREAKGLASS_AGENT_COMMAND to its path";
  return { why: `there is no ${command} on PATH`, mend };
}

const NO_CREDENTIALS: Obstacle = {
  why: "the CLI has no credentials: neither in the server's environment nor of a login",
  mend: "set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN for the server, or log the CLI in as the server's user",
};
