import { chown, stat } from "node:fs/promises";
import { OpenDirectory } from "./open-directory.ts";

/** A user and a group that files are given to. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Gives a directory to an owner, and not what is in it: that is whoever's made it. Does nothing where it is the owner's.
 *
 * @throws NodeJS.ErrnoException where something else is in its place, or it cannot be given away.
 */
export async function giveDirectory(path: string, owner: Owner): Promise<void> {
  await using directory = await OpenDirectory.open(path);
  await giveOpen(directory, owner);
}

/** As `giveDirectory`, of one that is open. */
export async function giveOpen(directory: OpenDirectory, { uid, gid }: Owner): Promise<void> {
  const place = directory.place();
  if ((await stat(place)).uid !== uid) await chown(place, uid, gid);
}
