import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { COMPILE_CACHE } from "../support/compile-cache.ts";
import { NODE_FLAGS, SOURCE_CONDITION } from "../support/program.ts";

/** Of turns' tests those that start whole servers: a mutant that survives is tried on them by hand. */
const SERVERS = [
  ...[
    "agent-environment",
    "drain",
    "hostile-agents",
    "left-turns",
    "leftovers",
    "limits",
    "readers",
  ],
  ...["recorded-turns", "restart", "retention", "storage-failure", "subscriptions", "text-deltas"],
];

/** For `npm run mutate`: the quick ones of the unit suites of what is mutated. */
export default defineConfig({
  ssr: { resolve: { conditions: [SOURCE_CONDITION, ...defaultServerConditions] } },
  test: {
    execArgv: [...NODE_FLAGS],
    include: ["test/{turns,stream}/**/*.test.ts", "test/agent/*.test.ts"],
    exclude: [`test/turns/{${SERVERS}}.test.ts`],
    // A mutant that has a test wait for ever is found, as long as that may be.
    testTimeout: 8000,
    hookTimeout: 8000,
    isolate: false,
    env: COMPILE_CACHE,
    setupFiles: ["test/mutation/active-mutant.ts"],
  },
});
