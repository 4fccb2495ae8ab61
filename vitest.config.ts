import { defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "./test/support/compile-cache.ts";

export default defineConfig({
  test: {
    // Real processes, browsers and the real CLI: generous, so that a slow machine fails nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // On two cores: they wait more than they work, but more would only make each other's processes late.
    maxWorkers: 3,
    // For the programs that tests start in their own environment.
    env: COMPILE_CACHE,
    projects: [
      {
        extends: true,
        test: {
          name: "service",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/fault/**", "test/load/**"],
          // To import all of it again for each of the files is a third of what they cost; no module of ours, nor of the
          // tests, holds what another test could see.
          isolate: false,
          globalSetup: "test/support/bundled-program.ts",
        },
      },
      // The service with the real CLI: each of its processes takes half a second of both cores.
      { extends: true, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"] } },
      // Each row of the fault suite once: it waits for minutes.
      { extends: true, test: { name: "fault", include: ["test/fault/**/*.test.ts"] } },
      // A thousand agents at once.
      { extends: true, test: { name: "load", include: ["test/load/**/*.test.ts"] } },
    ],
  },
});
