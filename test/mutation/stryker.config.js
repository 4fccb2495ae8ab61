/**
 * For `npm run mutate`: turns, and what is generic of agents.
 *
 * @type {import("@stryker-mutator/api/core").PartialStrykerOptions}
 */
export default {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner"],
  vitest: { configFile: "test/mutation/vitest.config.ts", related: false },
  mutate: ["src/turns/**/*.ts", "src/agent/*.ts"],
  coverageAnalysis: "perTest",
  // Constants of modules: each would want its tests in a process of their own.
  ignoreStatic: true,
  // Other words in a message are no mistake.
  mutator: { excludedMutations: ["StringLiteral"] },
  concurrency: 2,
  // Beside what the tests took without a mutant: other work may go on on the machine.
  timeoutMS: 15_000,
  timeoutFactor: 2,
  dryRunTimeoutMinutes: 15,
  // Stryker would read it by TypeScript's API, which TypeScript 7 has not, and needs nothing of it.
  tsconfigFile: "none",
  // The copies that it works on are not executable.
  buildCommand: "chmod +x test/fixtures/scripted-agent.ts test/fixtures/line-agent.ts",
  // A second biome.json would stop `biome`.
  ignorePatterns: ["biome.json", "docs", ".scratch*"],
  // Not below node_modules: Node strips no types there.
  tempDirName: ".scratch-mutation",
  reporters: ["clear-text", "progress-append-only", "html", "json"],
  clearTextReporter: { logTests: false, allowEmojis: false },
  htmlReporter: { fileName: ".scratch-mutation-report/report.html" },
  jsonReporter: { fileName: ".scratch-mutation-report/report.json" },
};
