import { existsSync, mkdtempSync, rmdirSync } from "node:fs";
import { access, constants } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ConfigError } from "../config/config-error.ts";
import type { ServeConfig } from "../config/serve-config.ts";
import { refuseShared } from "../data-directory.ts";
import { agentUserOf, refuseClosed } from "../server/agent-user-access.ts";
import { SCHEMA_VERSION } from "../store/sqlite/schema.ts";
import { failure, type MachineCheck, warning, well } from "./examination.ts";

/** Whether the server's directories are its own, or can be made, and agents reach their workspaces. */
export const directoriesCheck: MachineCheck = {
  name: "directories",
  async look(config) {
    const { dataDir, sessionsDir } = config;
    try {
      for (const [variable, path] of [
        ["BREAKGLASS_DATA_DIR", dataDir],
        ["BREAKGLASS_SESSIONS_DIR", sessionsDir],
      ] as const) {
        if (existsSync(path)) refuseShared(variable, path);
        else refuseUnmakeable(variable, path, await nearestThere(path));
      }
      const user = agentUserOf(config);
      // The server opens its own for them; what is above those it leaves as it is.
      if (user !== undefined) {
        refuseClosed(user, sessionsDir, await nearestThere(dirname(topmostOf(config))));
      }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return failure(error.message, "do what it says, or set another directory");
    }
    return well(`${dataDir} ${existsSync(dataDir) ? "is the server's own" : "can be made"}`);
  },
};

/** Whether this version can open the store that is there. */
export const storeCheck: MachineCheck = {
  name: "store",
  async look({ dataDir }) {
    const path = join(dataDir, "breakglass.db");
    if (!existsSync(path)) return well("there is no store yet: the server makes one");
    try {
      using database = new DatabaseSync(path, { readOnly: true });
      const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
      if (version > SCHEMA_VERSION) {
        return failure(
          `${path} has schema version ${version}, and this server knows up to ${SCHEMA_VERSION}`,
          "run the newer server that wrote it, or set another BREAKGLASS_DATA_DIR",
        );
      }
      return version < SCHEMA_VERSION
        ? well(`${path} is of an earlier version, which the server brings forward`)
        : well(`${path} can be opened`);
    } catch (error) {
      return warning(
        `${path} cannot be read: ${(error as Error).message}`,
        "look at it with the server stopped: docs/operations.md has what to do with a damaged store",
      );
    }
  },
};

/** A directory, or the first above it that is there. */
export async function nearestThere(path: string): Promise<string> {
  for (let directory = path; ; directory = dirname(directory)) {
    try {
      await access(directory, constants.F_OK);
      return directory;
    } catch (error) {
      if (directory === dirname(directory)) throw error;
    }
  }
}

function topmostOf({ dataDir, sessionsDir }: ServeConfig): string {
  return sessionsDir.startsWith(`${dataDir}/`) ? dataDir : sessionsDir;
}

/** @param above - Where the first that is missing of them is to be made. */
function refuseUnmakeable(variable: string, path: string, above: string): void {
  try {
    rmdirSync(mkdtempSync(join(above, ".breakglass-doctor-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${variable} is ${JSON.stringify(path)}, which cannot be made in ${above}: ${code}`,
    );
  }
}
