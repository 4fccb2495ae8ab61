import type { TestProject } from "vitest/node";
import { findPostgres, type SharedCluster, startCluster } from "./cluster.ts";
import { makeTemplate } from "./databases.ts";

declare module "vitest" {
  export interface ProvidedContext {
    readonly cluster: SharedCluster | undefined;
  }
}

/** Starts a PostgreSQL for the whole suite. Where there is none it is skipped, but not where CI says that nothing is. */
export default async function setup(
  project: TestProject,
): Promise<(() => Promise<void>) | undefined> {
  const bin = await findPostgres();
  if (bin === undefined) {
    if (process.env.CI !== undefined) throw new Error("there is no PostgreSQL, 15 or newer");
    process.stderr.write(
      "skipped: there is no PostgreSQL here (Debian: apt-get install postgresql)\n",
    );
    project.provide("cluster", undefined);
    return undefined;
  }
  const cluster = await startCluster(bin);
  await makeTemplate(cluster);
  project.provide("cluster", { adminUrl: cluster.adminUrl, url: cluster.urlOf("") });
  return async () => cluster[Symbol.asyncDispose]();
}
