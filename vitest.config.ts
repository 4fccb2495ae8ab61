import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Real processes, browsers and the real CLI: generous, so that a slow machine fails nothing.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more workers would only make each other's processes late.
    maxWorkers: 2,
  },
});
