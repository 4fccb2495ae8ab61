import turns from "./stryker.config.js";

/**
 * For `npm run mutate:process`: how processes are started, found and ended.
 *
 * @type {import("@stryker-mutator/api/core").PartialStrykerOptions}
 */
export default {
  ...turns,
  vitest: { ...turns.vitest, configFile: "test/mutation/vitest.process.config.ts" },
  mutate: ["src/agent/process/**/*.ts"],
};
