import { defineConfig } from "vitest/config";
import mutation from "./vitest.config.ts";

const { exclude: _servers, ...test } = mutation.test!;

/** For `npm run mutate:process`: tests that look after real processes take their time. */
export default defineConfig({
  test: {
    ...test,
    include: ["test/agent/process/*.test.ts"],
    exclude: ["test/agent/process/hostile-programs.test.ts"],
    testTimeout: 20_000,
  },
});
