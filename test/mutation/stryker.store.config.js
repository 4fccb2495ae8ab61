import turns from "./stryker.config.js";

/**
 * For `npm run mutate:store`: what works in the store's thread, where Stryker cannot tell which test reaches what. So each
 * mutant has all of the store's tests.
 *
 * @type {import("@stryker-mutator/api/core").PartialStrykerOptions}
 */
export default {
  ...turns,
  vitest: { ...turns.vitest, configFile: "test/mutation/vitest.store.config.ts" },
  mutate: ["src/store/**/*.ts"],
  coverageAnalysis: "off",
  ignoreStatic: false,
};
