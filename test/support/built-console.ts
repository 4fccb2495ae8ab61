import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import build from "../console/built.ts";

/** Where the built console is that a server in this process has. */
export const CONSOLE = fileURLToPath(new URL("../../console/dist", import.meta.url));

/** Builds the console where it is not there, as in a clone whose libraries were installed without scripts. */
export function haveConsole(): void {
  if (!existsSync(join(CONSOLE, "index.html"))) build();
}
