import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The package's version, as its package.json has it, which lies above this file wherever that was compiled to. */
export function readVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    try {
      const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
        version: string;
      };
      return manifest.version;
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}
