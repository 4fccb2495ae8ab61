import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Environment } from "../config/environment.ts";
import { foreignOwner, modeWeakness, replaceable, type Weakness } from "../file-trust.ts";
import type { Log } from "../log.ts";
import { searchedFolders } from "./environment.ts";

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

/** The first file of a name on PATH that can be run. */
export function findOnPath(name: string, environment: Environment): string | undefined {
  return searchedFolders(environment.PATH)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
