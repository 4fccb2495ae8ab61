import { defineConfig } from "vitest/config";
import mutation from "./vitest.config.ts";

const { include: _turns, exclude: _servers, ...test } = mutation.test!;
/** For `npm run mutate:store`. */
export default defineConfig({
  test: { ...test, include: ["test/store/{sqlite-store,call-groups,bad-stores}.test.ts"] },
});
