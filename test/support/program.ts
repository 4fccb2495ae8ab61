import { fileURLToPath } from "node:url";

/** What `npm start` and the other commands run. */
export const SOURCE_PROGRAM = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/**
 * The program for tests that start it by the dozen: what `bundled-program.ts` has made of the source where Vitest has run
 * it, and else the source.
 */
export const PROGRAM = process.env.BUNDLED_PROGRAM ?? SOURCE_PROGRAM;
