/** `--import`ed: writes the addresses of all modules that are resolved to the file that `TOLD_MODULES` names, a line each. */
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

const path = process.env.TOLD_MODULES ?? "";
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    appendFileSync(path, `${resolved.url}\n`);
    return resolved;
  },
});
