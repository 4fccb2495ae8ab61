import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { type MigrationPlan, stepsFrom } from "../common/migration-plan.ts";
import { refuseUnknown, SCHEMA_VERSION, STEPS } from "./schema.ts";
import { explainSqliteError } from "./sqlite-failure.ts";

const MIB = 1024 * 1024;

/** Says what a server that opens a file would do to its schema. Changes nothing, also where it is not there. */
export function planSqliteMigration(path: string): MigrationPlan {
  const obstacles: string[] = [];
  const notes: string[] = [];
  let from = 0;
  if (existsSync(path)) {
    try {
      from = versionOf(path);
    } catch (error) {
      obstacles.push(explainSqliteError(error));
      return { from, to: SCHEMA_VERSION, steps: [], obstacles, notes };
    }
  }
  const steps = stepsFrom(STEPS, from);
  if (steps.length > 0) obstacles.push(...lacksOf(path));
  return { from, to: SCHEMA_VERSION, steps, obstacles, notes };
}

/** @throws Error with a message for the operator, where the schema is not this version's. */
export function refuseOtherSchema(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  refuseUnknown(database, version);
  if (version < SCHEMA_VERSION) {
    throw new Error(
      `its schema is version ${version}, and this version has ${SCHEMA_VERSION}: bring it forward first, by breakglass store migrate with BREAKGLASS_DATA_DIR set to its folder`,
    );
  }
}

/** The version of its schema. @throws Error of SQLite's, or with a message for the operator. */
function versionOf(path: string): number {
  const url = pathToFileURL(path);
  // One that was closed is read as it is: SQLite would make files beside it. One that was not has its newest records there.
  if (!existsSync(`${path}-wal`)) url.searchParams.set("immutable", "1");
  using database = new DatabaseSync(url, { readOnly: true, timeout: 0 });
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  refuseUnknown(database, version);
  return version;
}

/** What the steps would fail for. */
function lacksOf(path: string): string[] {
  if (!existsSync(path)) return [];
  const lacks: string[] = [];
  for (const each of [path, dirname(path)]) {
    try {
      accessSync(each, constants.W_OK);
    } catch (error) {
      lacks.push(`${each} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
    }
  }
  // What a step makes anew is there twice meanwhile, and once more in the log.
  const wanted = 2 * statSync(path).size;
  const { bavail, bsize } = statfsSync(dirname(path));
  if (bavail * bsize < wanted) {
    const [free, most] = [bavail * bsize, wanted].map((bytes) => Math.ceil(bytes / MIB));
    lacks.push(`there are ${free} MiB free, and the steps may take ${most} MiB`);
  }
  return lacks;
}
