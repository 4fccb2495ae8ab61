import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { throwExhaustion } from "../../exhaustion.ts";
import { OpenDirectory } from "../../files/open-directory.ts";
import type { Owner } from "../../files/owner.ts";
import type { TreeRemovals } from "../../files/tree-removals.ts";
import { DefinitionRefusal } from "./definition-refusal.ts";

/**
 * Opens a directory of the agent's own configuration, also by links: operators lay it elsewhere. Whoever opens it disposes of it.
 *
 * @param owner - The agent's user, where that is not the server's. It arranges what is on the way there, and the server can write
 * where it cannot: what is not in a directory of its own is left alone. In its own it could do the same itself, wherever a link
 * led.
 * @returns undefined where there is none.
 * @throws DefinitionRefusal where it is another's; Error where there is no descriptor left to open it with.
 */
export async function openOwn(
  path: string,
  owner: Owner | undefined,
): Promise<OpenDirectory | undefined> {
  const directory = await OpenDirectory.at(path).catch(nothing);
  if (directory === undefined || owner === undefined) return directory;
  if ((await stat(directory.place())).uid === owner.uid) return directory;
  await directory[Symbol.asyncDispose]();
  throw new DefinitionRefusal(
    `${path} is not a directory of the agent's user, and is not looked into.`,
  );
}

/** As `openOwn`; undefined also where it is another's. */
export async function findOwn(
  path: string,
  owner: Owner | undefined,
): Promise<OpenDirectory | undefined> {
  return openOwn(path, owner).catch((error: unknown) => {
    if (!(error instanceof DefinitionRefusal)) throw error;
    return undefined;
  });
}

/**
 * Removes what a name in an open directory stands for, with all that is in it.
 *
 * @param path - The directory's, as it is told.
 * @returns What is left, and why; undefined: nothing.
 */
export async function removeFrom(
  directory: OpenDirectory,
  path: string,
  name: string,
  trees: TreeRemovals,
): Promise<string | undefined> {
  const place = directory.place(name);
  if ((await lstat(place).catch(nothing)) === undefined) return undefined;
  const { files } = await trees.remove(place);
  const [first] = files;
  return first && `${join(path, name)}${first.path.slice(place.length)}: ${first.reason}`;
}

function nothing(error: unknown): undefined {
  throwExhaustion(error);
}
