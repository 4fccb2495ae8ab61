import { accessSync, constants, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import type { Environment } from "../../config/environment.ts";
import { foreignOwner, modeWeakness, replaceable, type Weakness } from "../../file-trust.ts";
import type { Log } from "../../log.ts";

/**
 * The CLI's executable: what the operator set, else `claude` on PATH, else the one that was installed with the package.
 *
 * @param configured - An absolute path, or a name.
 * @returns an absolute path; or the name that was configured, for each start of a process to look up.
 *
 * Not checked: a CLI that is missing is told of by the turn that needs it, and can be installed without a restart.
 */
export function resolveCommand(configured: string | undefined, environment: Environment): string {
  return configured ?? findOnPath("claude", environment) ?? installedCommand();
}

/**
 * The folders of a PATH in which programs are looked for: those with an absolute path. Any other, an empty one too, would
 * be in the directory of whoever looks, which is the workspace for an agent's process.
 */
export function searchedFolders(path = ""): string[] {
  return path.split(delimiter).filter(isAbsolute);
}

/** Finds a command's file each time that a process is started, and warns once of each that others can change. */
export class Executable {
  readonly #command: string;
  readonly #environment: Environment;
  readonly #log: Log;
  readonly #warned = new Set<string>();

  constructor(command: string, environment: Environment, log: Log) {
    this.#command = command;
    this.#environment = environment;
    this.#log = log;
    this.find();
  }

  /** Its absolute path; undefined where a name is on no folder of PATH now. */
  find(): string | undefined {
    const isPath = isAbsolute(this.#command);
    const path = isPath ? this.#command : findOnPath(this.#command, this.#environment);
    if (path !== undefined && !this.#warned.has(path)) this.#look(path);
    return path;
  }

  #look(path: string): void {
    const weakness = weaknessOf(path);
    if (weakness === undefined) return;
    this.#warned.add(path);
    const { path: weak, why, mend } = weakness;
    this.#log.warn("others can change what is run as the agent", {
      executable: path,
      weak,
      why,
      mend,
    });
  }
}

function weaknessOf(path: string): Weakness | undefined {
  try {
    const stats = statSync(path);
    return (
      foreignOwner(path, stats) ?? modeWeakness(path, stats, 0o022, "go-w") ?? replaceable(path)
    );
  } catch {
    // It is not there: the turn that needs it will say so.
    return undefined;
  }
}

function findOnPath(name: string, environment: Environment): string | undefined {
  return searchedFolders(environment.PATH)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function installedCommand(): string {
  const require = createRequire(import.meta.url);
  const manifestPath = require.resolve("@anthropic-ai/claude-code/package.json");
  const manifest = require(manifestPath) as { bin: Record<string, string> };
  return join(dirname(manifestPath), manifest.bin.claude ?? "claude");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
