import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { OpenDirectory } from "../../files/open-directory.ts";

/** The longest path, and some. */
const MAX_BYTES = 16 * 1024;

/**
 * The name of the file beside a conversation that says for which workspace it was put there. Its own lines tell of the
 * directory that it was begun in, on another machine.
 */
export function restoredMark(agentSessionId: string): string {
  return `${agentSessionId}.restored`;
}

/**
 * The workspace that a conversation in a project's folder was put there for.
 *
 * @returns undefined where it does not say so.
 * @throws NodeJS.ErrnoException where there is none, or it cannot be read.
 */
export async function restoredFor(
  folder: OpenDirectory,
  agentSessionId: string,
): Promise<string | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  // Agents can write here: a pipe in its place must not be waited for.
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  await using file = await open(folder.place(restoredMark(agentSessionId)), flags);
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > MAX_BYTES) return undefined;
  return await file.readFile("utf8");
}
