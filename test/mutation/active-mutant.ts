import { beforeAll } from "vitest";

/** Stryker tells the thread of a test which mutant is active; by this variable the threads that it starts are told too. */
beforeAll(() => {
  const { activeMutant } =
    (globalThis as { __stryker__?: { activeMutant?: string } }).__stryker__ ?? {};
  if (activeMutant === undefined) delete process.env.__STRYKER_ACTIVE_MUTANT__;
  else process.env.__STRYKER_ACTIVE_MUTANT__ = activeMutant;
});
