import { open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { lackOfRoom, ROOM_FOR_A_TURN, roomToBe } from "../health/disk-room.ts";
import { nearestThere } from "./directories.ts";
import {
  failure,
  failureOr,
  type MachineCheck,
  type Outcome,
  warning,
  well,
} from "./examination.ts";

const MIB = 1024 * 1024;
/** Each event waits for one: of a disk that takes longer a turn's text comes in jerks. */
const SLOW_FSYNC_MS = 50;
const FSYNCS = 5;

/** File systems over a network or without locks that hold, by the magic numbers of statfs(2): SQLite's WAL is not safe there. */
const UNSAFE_FILE_SYSTEMS = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x01021997, "9p"],
  [0x65735546, "FUSE"],
]);

/** Whether the data directory can hold the store: it is there or can be made, has room, and says so when it wrote. */
export const diskCheck: MachineCheck = {
  name: "disk",
  async look({ dataDir, reserveBytes }) {
    const directory = await nearestThere(dataDir);
    const syncMs = await slowestSync(directory);
    if (typeof syncMs !== "number") return syncMs;
    const obstacle = await lackOfRoom(directory, ROOM_FOR_A_TURN);
    if (obstacle !== undefined) return failureOr(obstacle, "");
    const { bavail, bsize, type } = await statfs(directory);
    const unsafe = UNSAFE_FILE_SYSTEMS.get(type);
    if (unsafe !== undefined) {
      return warning(
        `${directory} is on ${unsafe}, where a store may be damaged`,
        "set BREAKGLASS_DATA_DIR to a directory of a local disk",
      );
    }
    const free = bavail * bsize;
    const text = `${directory} has ${Math.floor(free / MIB)} MiB free, and writes in ${syncMs.toFixed(1)} ms`;
    if (syncMs > SLOW_FSYNC_MS) {
      return warning(text, "use a faster disk: each event waits for a write of it");
    }
    if (free < 2 * reserveBytes) {
      const wanted = `${reserveBytes / MIB} MiB`;
      return warning(text, `make room for twice BREAKGLASS_RESERVE_BYTES (${wanted})`);
    }
    const lack = await lackOfRoom(directory, roomToBe(reserveBytes));
    return lack === undefined ? well(text) : warning(lack.why, lack.mend);
  },
};

/** How long the slowest of some small writes takes until it is on the disk; else why there are none. */
async function slowestSync(directory: string): Promise<number | Outcome> {
  const path = join(directory, `.breakglass-doctor-${process.pid}`);
  try {
    await using file = await open(path, "wx", 0o600);
    let slowest = 0;
    for (let i = 0; i < FSYNCS; i++) {
      const began = performance.now();
      await file.write(Buffer.alloc(4096, i));
      await file.datasync();
      slowest = Math.max(slowest, performance.now() - began);
    }
    return slowest;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT") {
      return failure(`${directory} is full: ${code}`, "make room");
    }
    return failure(
      `${directory} takes no file: ${code}`,
      "give it to the server's user, or set BREAKGLASS_DATA_DIR to a directory of theirs",
    );
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}
