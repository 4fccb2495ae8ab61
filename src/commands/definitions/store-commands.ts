import type { Command } from "commander";
import { SERVE_SECTIONS } from "../../config/settings/sections.ts";
import { settingsHelp } from "../settings-help.ts";
import type { Run } from "./commands.ts";

const STATUSES_OF_MIGRATE = `
Exit status:
  0    done; with --dry-run: nothing stands in the way
  1    something stands in the way, and was named; nothing was changed
  2    a mistake in the command or a setting`;

const STATUSES_OF_COPY = `
Exit status:
  0    copied, read again on both sides, and equal
  1    not copied, and why; or copied, and a chain of the audit is wrong on both sides
  2    a mistake in the command or a setting

No server uses a copy that is not complete. The same command makes it anew.`;

/** Adds the commands that work on a store which no server has open. */
export function addStoreCommands(program: Command, run: Run): void {
  const store = program.command("store").description("bring a store's schema forward, or copy it");
  store
    .command("migrate")
    .description("bring forward the schema of the store that the settings name")
    .option("--dry-run", "say what would be done and what stands in the way, and change nothing")
    .configureHelp(settingsHelp(SERVE_SECTIONS))
    .addHelpText("after", STATUSES_OF_MIGRATE)
    .action((given) => run(async () => (await import("../store.ts")).storeMigrate(given)));
  store
    .command("copy")
    .description("copy a store from SQLite to PostgreSQL or back, and compare the two row by row")
    .argument("<from>", "a data directory or its file, or postgres://…")
    .argument("<to>", "the same; an empty database, or a directory without a store")
    .addHelpText("after", STATUSES_OF_COPY)
    .action((from: string, to: string) =>
      run(async () => (await import("../store.ts")).storeCopy(from, to)),
    );
}
