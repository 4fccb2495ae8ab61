import { stat, statfs } from "node:fs/promises";
import type { Obstacle } from "../obstacle.ts";

/** How much room there is to be. Some file systems count no files, and say that there are none. */
export interface Room {
  readonly bytes: number;
  readonly files: number;
}

const MIB = 1024 * 1024;
/** With less a turn's workspace and its first events may find no room. */
export const ROOM_FOR_A_TURN: Room = { bytes: MIB / 4, files: 10 };
const FILES_FOR_SOME_TURNS = 200;

/** What is kept on the disk of a directory, and given up when a turn finds no room. */
export interface KeptRoom {
  readonly directory: string;
  /** What is kept now, and what is to be. */
  readonly heldBytes: number;
  readonly wantedBytes: number;
}

/** How it stands with the room below some directories. */
export interface DiskLook {
  /** No turn can be run for want of room. */
  readonly obstacle?: Obstacle | undefined;
  /** There soon may be none. */
  readonly warning?: Obstacle | undefined;
}

/** Looks for the room of turns, that which is kept for them included, and for as much as is to be kept. Never rejects. */
export async function lookAtDisk(
  directories: readonly string[],
  kept: KeptRoom,
): Promise<DiskLook> {
  let warning: Obstacle | undefined;
  for (const directory of directories) {
    const heldBytes = (await areOnOneDisk(directory, kept.directory)) ? kept.heldBytes : 0;
    const bytes = ROOM_FOR_A_TURN.bytes - heldBytes;
    const obstacle = await lackOfRoom(directory, { ...ROOM_FOR_A_TURN, bytes });
    if (obstacle !== undefined) return { obstacle };
    warning ??= await lackOfRoom(directory, roomToBe(kept.wantedBytes));
  }
  return { warning };
}

/** What there is to be. @param reserveBytes - `BREAKGLASS_RESERVE_BYTES`. With none kept it is that of its default. */
export function roomToBe(reserveBytes: number): Room {
  return { bytes: reserveBytes || 64 * MIB, files: FILES_FOR_SOME_TURNS };
}

/** What is in the way of so much below a directory. Undefined: nothing. Never rejects. */
export async function lackOfRoom(directory: string, room: Room): Promise<Obstacle | undefined> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(directory);
    const free = bavail * bsize;
    if (free < room.bytes) {
      const why = `${directory} has room for ${inMib(free)} MiB more`;
      return { why, mend: `make room for ${inMib(room.bytes)} MiB at least` };
    }
    if (files > 0 && ffree < room.files) {
      return { why: `${directory} has room for ${ffree} more files`, mend: "remove files there" };
    }
    return undefined;
  } catch (error) {
    const why = `${directory} cannot be looked at: ${(error as NodeJS.ErrnoException).code}`;
    return { why, mend: "make it readable for the server's user" };
  }
}

async function areOnOneDisk(one: string, other: string): Promise<boolean> {
  const devices = [one, other].map((path) =>
    stat(path).then(
      ({ dev }) => dev,
      () => undefined,
    ),
  );
  const [a, b] = await Promise.all(devices);
  return a !== undefined && a === b;
}

function inMib(bytes: number): number {
  return bytes < MIB ? Math.round((bytes / MIB) * 100) / 100 : Math.floor(bytes / MIB);
}
