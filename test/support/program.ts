import { fileURLToPath } from "node:url";

/** What `npm start` and the other commands run. */
export const SOURCE_PROGRAM = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** By which Node takes the client as it stands here, and not as it was built last. */
export const SOURCE_CONDITION = "breakglass-source";

/** What Node is given before a program that is run from its source. */
export const NODE_FLAGS: readonly string[] = [`--conditions=${SOURCE_CONDITION}`];

/**
 * The program for tests that start it by the dozen: what `bundled-program.ts` has made of the source where Vitest has run
 * it, and else the source.
 */
export const PROGRAM = process.env.BUNDLED_PROGRAM ?? SOURCE_PROGRAM;
