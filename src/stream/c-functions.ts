import type { FunctionDefinitions } from "node:ffi";
import { createRequire } from "node:module";

/** Calls of the C library, by their names. Numbers are numbers, and what is written into is bytes. */
type Functions<T extends FunctionDefinitions> = {
  readonly [K in keyof T]: (...args: (number | bigint | Uint8Array)[]) => number | bigint;
};

/**
 * Functions of the C library, for what Linux has and Node has no call for.
 *
 * `errno` is nothing to go by: between two calls Node may set it.
 *
 * @returns undefined on other systems, and by a Node without `node:ffi`.
 */
export function cFunctions<const T extends FunctionDefinitions>(
  definitions: T,
): Functions<T> | undefined {
  if (process.platform !== "linux") return undefined;
  const { emitWarning } = process;
  // It warns that it is an experiment, which is nothing to an operator.
  process.emitWarning = () => {};
  try {
    const ffi = createRequire(import.meta.url)("node:ffi") as typeof import("node:ffi");
    return ffi.dlopen(null, definitions).functions as unknown as Functions<T>;
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
