/**
 * How calls that open or start something fail where the means for it are used up. It says nothing of what was asked for:
 * a file that cannot be opened for want of a descriptor may well be there.
 */
const EXHAUSTIONS: ReadonlyMap<string, string> = new Map([
  ["EMFILE", "the server is out of file descriptors (EMFILE)"],
  ["ENFILE", "the machine is out of file descriptors (ENFILE)"],
  ["EAGAIN", "the server's user or its cgroup has as many processes as it may (EAGAIN)"],
  ["ENOMEM", "the machine is out of memory (ENOMEM)"],
]);

/** Which means a call found used up, in words for the operator; undefined where it failed for another reason. */
export function explainExhaustion(error: unknown): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? undefined : EXHAUSTIONS.get(code);
}

/** Throws what a call threw that takes other failures for an answer, where it had not the means to find one. */
export function throwExhaustion(error: unknown): void {
  if (explainExhaustion(error) !== undefined) throw error;
}
