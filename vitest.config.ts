import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "./test/support/compile-cache.ts";
import { NODE_FLAGS, SOURCE_CONDITION } from "./test/support/program.ts";

export default defineConfig({
  resolve: { conditions: [SOURCE_CONDITION, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [SOURCE_CONDITION, ...defaultServerConditions] } },
  test: {
    // For the threads that the service starts.
    execArgv: [...NODE_FLAGS],
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
          exclude: [
            "test/e2e/**",
            "test/fault/**",
            "test/load/**",
            "test/packages/**",
            "test/client/**",
            "test/conformance/**",
            "test/console/**",
            "test/container/**",
            "test/cluster/**",
            "test/docs/**",
            "test/fake/**",
            "test/interop/**",
            "test/postgres/**",
            "test/simulation/mutations.test.ts",
          ],
          // To import all of it again for each of the files is a third of what they cost; no module of ours, nor of the
          // tests, holds what another test could see.
          isolate: false,
          globalSetup: "test/support/bundled-program.ts",
        },
      },
      // What the pages say: links, samples that are run, and that nothing is left out.
      {
        extends: true,
        test: {
          name: "docs",
          include: ["test/docs/**/*.test.ts"],
          isolate: false,
          globalSetup: "test/support/bundled-program.ts",
        },
      },
      // The service with what others have made: proxies in front of it, browsers, tools that find it by themselves.
      {
        extends: true,
        test: {
          name: "interop",
          include: ["test/interop/**/*.test.ts"],
          isolate: false,
          globalSetup: "test/support/bundled-program.ts",
        },
      },
      // The store in PostgreSQL, the service on it, and servers that hand calls on to each other: one PostgreSQL for all of them, a database a test.
      {
        extends: true,
        test: {
          name: "postgres",
          include: ["test/postgres/**/*.test.ts", "test/cluster/**/*.test.ts"],
          isolate: false,
          globalSetup: ["test/support/bundled-program.ts", "test/postgres/shared-cluster.ts"],
        },
      },
      // The service with the real CLI: each of its processes takes half a second of both cores.
      { extends: true, test: { name: "e2e", include: ["test/e2e/**/*.test.ts"] } },
      // What others build on: the client for TypeScript, and the fake. They wait for cuts, silences and restarts.
      {
        extends: true,
        test: {
          name: "clients",
          include: ["test/client/**/*.test.ts", "test/fake/**/*.test.ts"],
          isolate: false,
          globalSetup: "test/support/bundled-program.ts",
        },
      },
      // The page, in a browser, before the fake; and what of it takes no browser.
      {
        extends: true,
        plugins: [svelte({ configFile: false })],
        test: {
          name: "console",
          // As long as the browser is waited for, twice of which a test has at least: a page on a slow machine is not done in a second.
          expect: { poll: { timeout: 60_000 } },
          testTimeout: 180_000,
          // A browser has a bad moment in thousands. What took a second try is told of as that, and is to be looked into.
          retry: process.env.CI === undefined ? 0 : 1,
          include: ["test/console/**/*.test.ts", "console/test/**/*.test.ts"],
          globalSetup: ["test/support/bundled-program.ts", "test/console/built.ts"],
        },
      },
      // The kit itself, with clients that are broken on purpose: each case starts a server and a client.
      { extends: true, test: { name: "conformance", include: ["test/conformance/**/*.test.ts"] } },
      // Each invariant of ownership removed on purpose, and found by the simulation.
      {
        extends: true,
        test: { name: "simulation", include: ["test/simulation/mutations.test.ts"] },
      },
      // What users install: packing builds, and installing fetches.
      {
        extends: true,
        test: {
          name: "packages",
          include: ["test/packages/**/*.test.ts"],
          globalSetup: "test/packages/packed.ts",
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      // Each row of the fault suite once: it waits for minutes.
      { extends: true, test: { name: "fault", include: ["test/fault/**/*.test.ts"] } },
      // Debian's packages, and the service installed on them.
      { extends: true, test: { name: "container", include: ["test/container/**/*.test.ts"] } },
      // A thousand agents at once.
      { extends: true, test: { name: "load", include: ["test/load/**/*.test.ts"] } },
    ],
  },
});
