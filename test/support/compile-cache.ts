import { fileURLToPath } from "node:url";

const DIRECTORY = fileURLToPath(new URL("../../node_modules/.cache/node-compile", import.meta.url));

/**
 * The variable by which a program of ours finds what Node compiled of it before: half of what it takes to start one, and
 * the tests start hundreds. Node looks at the sources' contents before it takes any of it.
 */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: DIRECTORY } as const;
