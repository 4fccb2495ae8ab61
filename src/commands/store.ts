import { readServeConfig, type ServeConfig } from "../config/serve-config.ts";
import {
  type CopiedStore,
  copyBetween,
  migrateStore,
  planMigration,
  readStorePlace,
} from "../server/store-upkeep.ts";
import { ExitStatus } from "./exit-status.ts";
import { openTerminal } from "./terminal.ts";
import { oneLine, print } from "./terminal-text.ts";
import { UsageError } from "./usage-error.ts";

const LINE_CHARACTERS = 4000;

/** What `store migrate` takes. */
export interface MigrateOptions {
  /** Nothing is changed. */
  readonly dryRun?: boolean;
}

/** Brings the schema forward of the store that the settings name, or says what would be done. */
export async function storeMigrate({ dryRun = false }: MigrateOptions): Promise<ExitStatus> {
  const config = readServeConfig();
  const { from, to, steps, obstacles, notes } = await planMigration(config);
  await say([`store: ${placeOf(config)}`]);
  if (obstacles.length > 0) {
    await say(obstacles.map((obstacle) => `in the way: ${obstacle}`));
    return ExitStatus.failed;
  }
  await say([...told(from, to), ...notes.map((note) => `to know: ${note}`)]);
  await say(steps.map(({ version, does }) => `step ${version}: ${does}`));
  if (dryRun) {
    await say([steps.length === 0 ? "nothing is to be done" : DRY]);
    return ExitStatus.ok;
  }
  await migrateStore(config);
  if (steps.length > 0) await say([`done: the schema is version ${to}`]);
  return ExitStatus.ok;
}

const DRY =
  "nothing stands in the way: a server does this when it starts, or breakglass store migrate";

function told(from: number, to: number): string[] {
  if (from === 0) return [`schema: none yet; it is to be version ${to}`];
  if (from === to) return [`schema: version ${to}, which is this version's`];
  return [`schema: version ${from}; it is to be version ${to}`];
}

/** Without what is secret in it. */
function placeOf({ store, dataDir }: ServeConfig): string {
  if (store === undefined) return `${dataDir}/breakglass.db`;
  const hosts = store.hosts.map(({ host, port }) => `${host}:${port}`).join(",");
  return `PostgreSQL, ${store.database ?? "the user's own database"} at ${hosts}`;
}

/** Copies a store, and says what was compared. */
export async function storeCopy(from: string, to: string): Promise<ExitStatus> {
  const { storePasswordFile } = readServeConfig();
  const [source, target] = [place("FROM", from), place("TO", to)];
  const terminal = openTerminal(process.stdout, process.stderr, false);
  const copied = await copyBetween(source, target, storePasswordFile, (doing, table) =>
    terminal.tell(print`${oneLine(`${doing} ${table}`, LINE_CHARACTERS)}`),
  );
  await say(linesOf(copied));
  return copied.chains.some(({ fault }) => fault !== undefined) ? ExitStatus.failed : ExitStatus.ok;
}

function place(which: string, text: string) {
  try {
    return readStorePlace(text);
  } catch (error) {
    throw new UsageError(`${which}: ${(error as Error).message}`);
  }
}

function linesOf({ tables, chains, ownName }: CopiedStore): string[] {
  return [
    ...tables.map(
      ({ name, rows, bytes }) => `equal: ${name}: ${rows} rows, ${bytes} bytes of text and data`,
    ),
    ...chains.map(({ owner, last, hash, fault }) =>
      fault === undefined
        ? `right: the audit of ${owner}, to record ${last}, hash ${hash}`
        : `wrong, as in the source: the audit of ${owner}: ${fault}`,
    ),
    "complete: every row was read again on both sides, and compared",
    ...(ownName === undefined ? [] : [`the file's disk is ${ownName} in the database`]),
  ];
}

async function say(lines: readonly string[]): Promise<void> {
  const terminal = openTerminal(process.stdout, process.stderr, false);
  for (const line of lines) await terminal.write(print`${oneLine(line, LINE_CHARACTERS)}\n`);
}
