import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLog } from "../../src/log.ts";
import { WorkspaceSnapshots } from "../../src/snapshots/workspace-snapshots.ts";
import { openSqliteFile, type SqliteFile } from "../../src/store/sqlite/sqlite-store.ts";
import type { MovedSession } from "../../src/turns/session-moves.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { eventually } from "../support/processes.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

const TERMS = { renewMs: 100, graceMs: 500, leaseMs: 1000 };
const LIMITS = { maxBytes: 10_000_000, bytesPerSecond: 2 ** 40, longestMs: 30_000 };

let folder: string;
let file: SqliteFile;
let now = 0;
let log: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-snapshots-"));
  file = await openSqliteFile(join(folder, "store.db"), () => now);
  log = [];
});
afterEach(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

async function openServer(name: string, more: { intervalMs?: number; maxBytes?: number } = {}) {
  const store = owned(await file.openStore(name, TERMS));
  const { intervalMs = 0, maxBytes = LIMITS.maxBytes } = more;
  const snapshots = new WorkspaceSnapshots({
    store,
    log: createLog((line) => void log.push(line)),
    address: { kind: "folder", path: join(folder, "snapshots") },
    limits: { ...LIMITS, maxBytes },
    intervalMs,
  });
  return { store, snapshots };
}

/** A session with a turn that has ended, and a workspace with a file. */
async function makeSession(store: OwnedStore, text = "first"): Promise<MovedSession> {
  const start = turnStart();
  const { session } = await store.createTurn(start);
  const { turnId } = start;
  const events = [new Uint8Array(1)];
  await store.append({ turnId, firstSequence: 1, events, time: 2, end: SUCCEEDED });
  const { sessionId, sessionKey, agentKind } = session;
  const workspace = join(folder, sessionKey);
  await mkdir(workspace);
  await writeFile(join(workspace, "file"), text);
  return { sessionId, sessionKey, agentKind, conversationId: "", workspace };
}

const kept = ({ sessionKey }: MovedSession): string[] => {
  const place = join(folder, "snapshots", sessionKey);
  return existsSync(place) ? readdirSync(place) : [];
};

const comes = (look: () => boolean | Promise<boolean>) => eventually(look, Boolean);

const recorded = async (store: OwnedStore, { sessionKey }: MovedSession) =>
  (await store.findSnapshot(sessionKey)).snapshot;

describe("snapshots of workspaces", () => {
  it("are taken of what has changed, the older ones removed, and restored elsewhere", async () => {
    const { store, snapshots } = await openServer("one");
    const session = await makeSession(store);
    snapshots.keep(session);
    await comes(async () => (await recorded(store, session)) !== undefined);
    const first = await recorded(store, session);
    expect(first?.key).toMatch(
      new RegExp(`^${session.sessionKey}/${store.lease.epoch}-[0-9a-f-]{36}-`),
    );
    await comes(() => kept(session).length === 1);

    await writeFile(join(session.workspace, "file"), "second");
    snapshots.keep(session);
    await comes(async () => (await recorded(store, session))?.key !== first?.key);
    await comes(() => kept(session).length === 1);
    const second = await recorded(store, session);
    snapshots.keep(session);
    await snapshots.drain(60_000);
    expect(await recorded(store, session)).toEqual(second);

    const elsewhere = { ...session, workspace: join(folder, "elsewhere") };
    const other = await openServer("other");
    const time = await other.snapshots.restore(elsewhere);
    expect(time?.getTime()).toBe(second?.time);
    expect(readFileSync(join(elsewhere.workspace, "file"), "utf8")).toBe("second");
    // A server that comes to it once more leaves what was worked on since.
    await writeFile(join(elsewhere.workspace, "file"), "third");
    expect(await other.snapshots.restore(elsewhere)).toEqual(time);
    expect(readFileSync(join(elsewhere.workspace, "file"), "utf8")).toBe("third");
    await other.snapshots.drain(1000);
  });

  it("of a server that was fenced are none: the row does not name them, and they are removed", async () => {
    const { store, snapshots } = await openServer("one");
    const session = await makeSession(store);
    snapshots.keep(session);
    await comes(() => kept(session).length === 1);
    await comes(async () => (await recorded(store, session)) !== undefined);
    const before = await recorded(store, session);
    const other = await openServer("other");
    now += TERMS.leaseMs + 1;
    await other.store.renewLease(other.store.lease.epoch);
    await other.store.fence("one", other.store.lease.epoch);
    await writeFile(join(session.workspace, "file"), "stale");
    snapshots.keep(session);
    await snapshots.drain(60_000);
    expect(await recorded(other.store, session)).toEqual(before);
    expect(kept(session)).toEqual([before!.key.split("/")[1]]);
    await other.snapshots.drain(1000);
  });

  it("of a later incarnation are not removed by an earlier one", async () => {
    const { store, snapshots } = await openServer("one");
    const session = await makeSession(store);
    const later = join(folder, "snapshots", session.sessionKey, "99-0a-1.tar.zst");
    await mkdir(join(later, ".."), { recursive: true });
    await writeFile(later, "another server's, which no row names yet");
    snapshots.keep(session);
    await snapshots.drain(60_000);
    expect(kept(session)).toHaveLength(2);
    expect(existsSync(later)).toBe(true);
  });

  it("go with their session", async () => {
    const { store, snapshots } = await openServer("one");
    const session = await makeSession(store);
    snapshots.keep(session);
    await comes(() => kept(session).length === 1);
    await comes(async () => (await recorded(store, session)) !== undefined);
    await store.deleteNamed(session.sessionId, "alice", 3);
    expect(await snapshots.forget(session.sessionKey)).toBe(true);
    expect(kept(session)).toEqual([]);
    snapshots.keep(session);
    await snapshots.drain(60_000);
    expect(kept(session)).toEqual([]);
  });

  it("are not taken more often than they may be, and at the end at once", async () => {
    const { store, snapshots } = await openServer("one", { intervalMs: 3_600_000 });
    const session = await makeSession(store);
    snapshots.keep(session);
    await comes(async () => (await recorded(store, session)) !== undefined);
    const first = await recorded(store, session);
    await writeFile(join(session.workspace, "file"), "second");
    snapshots.keep(session);
    const another = await makeSession(store);
    snapshots.keep(another);
    await comes(async () => (await recorded(store, another)) !== undefined);
    expect(await recorded(store, session)).toEqual(first);
    await snapshots.drain(60_000);
    expect(await recorded(store, session)).not.toEqual(first);
  });

  it("leave the one before where a workspace has become too large, and say so once", async () => {
    const { store, snapshots } = await openServer("one", { maxBytes: 1000 });
    const session = await makeSession(store);
    snapshots.keep(session);
    await comes(async () => (await recorded(store, session)) !== undefined);
    const first = await recorded(store, session);
    await writeFile(join(session.workspace, "large"), Buffer.alloc(2000));
    for (let n = 0; n < 3; n++) {
      snapshots.keep(session);
      await comes(() => log.some((line) => line.includes("too large for a snapshot")));
    }
    await snapshots.drain(60_000);
    expect(await recorded(store, session)).toEqual(first);
    expect(log.filter((line) => line.includes("too large for a snapshot"))).toHaveLength(1);
  });

  it("that cannot be taken or restored are told of, and nothing is in the workspace's place", async () => {
    await writeFile(join(folder, "snapshots"), "a file in the folder's place");
    const { store, snapshots } = await openServer("one");
    const session = await makeSession(store);
    snapshots.keep(session);
    await snapshots.drain(60_000);
    expect(log.join("")).toContain("no snapshot could be taken of a workspace");
    const missing = { key: `${session.sessionKey}/1-0a-1.tar.zst`, time: 1 };
    await store.recordSnapshot(session.sessionKey, missing, store.lease.epoch);
    const elsewhere = { ...session, workspace: join(folder, "elsewhere") };
    const { snapshots: others } = await openServer("other");
    expect(await others.restore(elsewhere)).toBeUndefined();
    expect(log.join("")).toContain("cannot be restored");
    expect(existsSync(elsewhere.workspace)).toBe(false);
    await others.drain(1000);
  });
});
