import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LeftFiles, removeTree } from "../../src/files/remove-tree.ts";
import { NOBODY_TOLD } from "../../src/happenings.ts";
import { createLog } from "../../src/log.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { ActiveSessions } from "../../src/turns/active-sessions.ts";
import { DaySpendings } from "../../src/turns/day-spendings.ts";
import { RecentEventsBudget } from "../../src/turns/recent-events.ts";
import { Removals } from "../../src/turns/removals.ts";
import { TurnAudit } from "../../src/turns/turn-audit.ts";
import { UnendedTurns } from "../../src/turns/unended-turns.ts";
import { EventReader } from "../support/event-reader.ts";
import { collect } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";
import { startTestServer, type TestServer } from "../support/test-server.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";
import { DrivenAgent, drivenAgents } from "../turns/driven-agent.ts";
import { LIMITS } from "../turns/driven-turns.ts";

const run = promisify(execFile);
const sh = (command: string, cwd: string) => run("sh", ["-c", command], { cwd });
const NOTHING: LeftFiles = { files: [], count: 0 };

let root: string;
let tree: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "breakglass-deletion-"));
  tree = join(root, "tree");
  await mkdir(tree);
});

afterEach(async () => {
  for (const command of ["chattr -R -i .", "umount tree/mounted", "chmod -R u+rwx ."]) {
    await sh(`${command} 2>/dev/null || true`, root);
  }
  await rm(root, { recursive: true, force: true });
});

function removeAll(path: string, longestMs = 60_000): LeftFiles {
  const removal = removeTree(path, { sliceMs: 20, longestMs });
  for (let step = removal.next(); ; step = removal.next()) if (step.done) return step.value;
}

/** Directories in directories, deeper than any path can name. */
const DEEP =
  "perl -e 'for (1..1500) { mkdir q(directory) or die; chdir q(directory) or die } open F, q(>file)'";

describe("a tree of files", () => {
  it("is removed however deep it is", async () => {
    await sh(`for n in 1 2; do mkdir $n; (cd $n; ${DEEP}); done`, tree);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(existsSync(tree)).toBe(false);
  });

  it("is removed with its pipes, its links, and what is already gone", async () => {
    await sh("mkfifo pipe; ln -s /nowhere dangling; ln -s / all; mkdir -p a/b; touch a/b/c", tree);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(removeAll(join(root, "never", "there"))).toEqual(NOTHING);
    await writeFile(tree, "a file in its place");
    expect(removeAll(tree)).toEqual(NOTHING);
    expect(await readdir(root)).toEqual([]);
  });

  it("is removed where its owner has taken away the permissions, also deep down", async () => {
    const perl = DEEP.replace("open F", "chmod 0, $_ for qw(.); open F").replace(
      "q(>file)",
      "q(x)",
    );
    await sh(`mkdir -p a/b deep; touch a/b/c; (cd deep; ${perl}); chmod 0 a/b; chmod 0 a`, tree);
    // Root may do everything: as somebody who may not.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await sh("chown -R 65534:65534 .; chmod 755 .", root);
    const module = new URL("../../src/files/remove-tree.ts", import.meta.url).pathname;
    const program = `
      process.chdir("/");
      const { removeTree } = await import(${JSON.stringify(module)});
      const removal = removeTree(process.argv[1]);
      let step; do step = removal.next(); while (!step.done);
      console.log(JSON.stringify(step.value));`;
    const setting = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const [command, ...args] = [...setting, process.execPath, "-e", program, tree];
    const { stdout } = await run(command!, args);
    expect(JSON.parse(stdout)).toEqual(NOTHING);
    expect(existsSync(tree)).toBe(false);
  });

  it("is removed but for what cannot be, which is told of by its path", async (context) => {
    await sh("mkdir -p kept/in gone; touch kept/in/file gone/file; ", tree);
    const isImmutable = spawnSync("chattr", ["+i", join(tree, "kept", "in")]).status === 0;
    if (!isImmutable) context.skip("files cannot be made immutable here");
    expect(removeAll(tree)).toEqual({
      files: [{ path: join(tree, "kept", "in", "file"), reason: "EPERM" }],
      count: 1,
    });
    expect(await readdir(tree)).toEqual(["kept"]);
  });

  it("is removed but for what is mounted in it", async (context) => {
    const other = join(root, "other");
    await sh("mkdir other tree/mounted tree/gone; touch other/precious tree/file", root);
    const mounted = join(tree, "mounted");
    if (spawnSync("mount", ["--bind", other, mounted]).status !== 0) {
      context.skip("nothing can be mounted here");
    }
    const left = removeAll(tree);
    expect(left).toEqual({
      files: [{ path: mounted, reason: "something is mounted there" }],
      count: 1,
    });
    expect(await readdir(other)).toEqual(["precious"]);
    expect(await readdir(tree)).toEqual(["mounted"]);
  });

  it("that is filled all the time is left, and said to be", async () => {
    await mkdir(join(tree, "filled"));
    const removal = removeTree(tree, { sliceMs: -1, longestMs: 60_000 });
    let step = removal.next();
    for (let n = 0; !step.done; n++) {
      if (existsSync(join(tree, "filled"))) await writeFile(join(tree, "filled", `${n}`), "");
      else await mkdir(join(tree, "filled")).catch(() => {});
      expect(n).toBeLessThan(100_000);
      step = removal.next();
    }
    expect(step.value.count).toBeGreaterThan(0);
  });
});

/** Where a server keeps sessions' workspaces. */
const workspaces = ({ root: all }: TestServer) => join(all, "data", "sessions");

describe("a deleted session", () => {
  it("whose workspace is deeper than a path can name is gone", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const [first] = await collect(client.runTurn({ prompt: `bash ${DEEP}` }));
    const { sessionId } = first!;
    const { removalPending } = await client.deleteSession({ sessionId });
    if (removalPending) {
      await eventually(
        () => readdir(workspaces(server)),
        ({ length }) => length === 0,
        30_000,
      );
    }
    expect(await readdir(workspaces(server))).toEqual([]);
    expect(server.log.join()).not.toContain("left files behind");
  });

  it("that leaves files says so, and they are removed when the server starts again", async (context) => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const prompt = "bash mkdir kept && touch kept/file gone && chattr +i kept && echo made";
    const events = await collect(client.runTurn({ prompt }));
    const kept = await sh("ls -d */kept", workspaces(server)).then(({ stdout }) => stdout.trim());
    const path = join(workspaces(server), kept);
    try {
      const isImmutable = spawnSync("touch", [join(path, "more")]).status !== 0;
      if (!isImmutable) context.skip("files cannot be made immutable here");
      const { sessionId, turnId } = events[0]!;
      expect(await client.deleteSession({ sessionId })).toMatchObject({ removalPending: true });
      for (const call of [client.getSession({ sessionId }), client.getTurn({ turnId })]) {
        expect(await refusalOf(call)).toMatchObject({ code: "NotFound" });
      }
      expect(await readdir(join(path, ".."))).toEqual(["kept"]);
      expect(server.log.filter((line) => line.includes(join(path, "file")))).toHaveLength(1);
    } finally {
      spawnSync("chattr", ["-i", path]);
    }
    await server.restart();
    const left = await eventually(
      () => readdir(workspaces(server)),
      ({ length }) => length === 0,
    );
    expect(left).toEqual([]);
  });
});

/** A store with one ended turn of so many events, and a running one. */
async function openFilled(events: number) {
  const store = owned(await openSqliteStore(join(root, "breakglass.db")));
  const [large, other] = [turnStart(), turnStart()];
  await store.createTurn(large);
  await store.createTurn(other);
  const AT_ONCE = 5000;
  for (let first = 1; first <= events; first += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () => new Uint8Array(100));
    const end = first + AT_ONCE > events ? { end: SUCCEEDED } : {};
    const place = { turnId: large.turnId, firstSequence: first, time: 1 };
    await store.append({ ...place, events: batch, ...end });
  }
  let sequence = 1;
  const append = () =>
    store.append({
      ...{ turnId: other.turnId, firstSequence: sequence++, time: 1 },
      events: [new Uint8Array(100)],
    });
  return { store, large, other, append };
}

describe("many events that are removed", () => {
  it.each([
    [
      "with their session",
      (store: OwnedStore, sessionId: string) => store.deleteNamed(sessionId, "alice", 5),
    ],
    ["by their age", (store: OwnedStore) => store.removeEndedTurns(100, 100, 5)],
  ])("%s let other turns' events come between", async (_how, remove) => {
    const { store, large, append } = await openFilled(40_000);
    let isOver = false;
    const removed = (async () => {
      await remove(store, large.newSession.sessionId);
      while (await store.removeSome());
      isOver = true;
    })();
    let between = 0;
    for (; !isOver; between++) await append();
    await removed;
    // In one piece it was two.
    expect(between).toBeGreaterThan(20);
    await store.close();
    const database = new DatabaseSync(join(root, "breakglass.db"));
    const left = database.prepare("SELECT count(*) AS count FROM events").get();
    expect(left?.count).toBe(between);
    expect(database.prepare("PRAGMA integrity_check").get()?.integrity_check).toBe("ok");
    database.close();
  });

  it("leave too where they come off the record while the removal of others ends", async () => {
    const { store, large, other, append } = await openFilled(5000);
    await append();
    const end = { turnId: other.turnId, firstSequence: 2, events: [new Uint8Array(1)], time: 1 };
    await store.append({ ...end, end: SUCCEEDED });
    await store.deleteNamed(large.newSession.sessionId, "alice", 5);
    let [answered, release] = [() => {}, () => {}];
    const isAnswered = new Promise<void>((resolve) => (answered = resolve));
    const isReleased = new Promise<void>((resolve) => (release = resolve));
    // The store says that nothing is left, and that is not heard before more has come.
    const held = new Proxy(store, {
      get: (real, name: keyof Store) => {
        if (name !== "removeSome") return real[name];
        return async () => {
          const more = await real.removeSome();
          if (!more) answered();
          if (!more) await isReleased;
          return more;
        };
      },
    });
    const surroundings = {
      store: held,
      agents: drivenAgents(new DrivenAgent()),
      log: createLog(() => {}),
      happenings: NOBODY_TOLD,
      audit: new TurnAudit(undefined),
    };
    const sessions = new ActiveSessions({
      ...{ ...surroundings, limits: LIMITS, recentEvents: new RecentEventsBudget() },
      days: new DaySpendings({ costUsd: 0, modelTurns: 0 }),
      unended: new UnendedTurns(held, { maxConcurrentTurns: 1, maxPrincipalTurns: 0 }),
    });
    const { signal } = new AbortController();
    const removals = new Removals(surroundings, sessions, signal);
    const first = removals.removeRows();
    await isAnswered;
    await store.deleteNamed(other.newSession.sessionId, "alice", 5);
    const second = removals.removeRows();
    release();
    expect(await Promise.all([first, second])).toEqual([true, true]);
    await store.close();
    expect(countIn(join(root, "breakglass.db"))).toBe(0);
  });

  it("end a reader's stream, without a gap", async () => {
    await using server = await startTestServer();
    using connection = connect(server.url);
    const { client } = connection;
    const [first] = await collect(client.runTurn({ prompt: script("many 20000") }));
    const { sessionId, turnId } = first!;
    await using reader = new EventReader(client.attachTurn({ turnId }));
    await reader.until("text");
    await client.deleteSession({ sessionId });
    expect(await refusalOf(client.attachTurn({ turnId }))).toMatchObject({ code: "NotFound" });
    expect(await refusalOf(reader.rest())).toMatchObject({ code: "NotFound" });
    const sequences = reader.seen.flatMap(({ sequence }) => (sequence > 0 ? [sequence] : []));
    expect(sequences).toEqual(Array.from(sequences, (_, index) => index + 1));
    expect(sequences.length).toBeLessThan(20_000);
  });

  it("leave with the next start where the server died meanwhile, and a session opened since stays", async () => {
    await using environment = await createTestEnvironment();
    const data = join(environment.root, "data");
    await mkdir(data);
    const sessionId = randomUUID();
    const store = owned(await openSqliteStore(join(data, "breakglass.db")));
    const mine = { principal: "local", sentSessionId: sessionId };
    const turns = [turnStart(mine), turnStart(mine)] as const;
    for (const [turn, events] of [
      [turns[0], 5000],
      [turns[1], 10],
    ] as const) {
      await store.createTurn(turn);
      const batch = Array.from({ length: events }, () => new Uint8Array(100));
      const place = { turnId: turn.turnId, firstSequence: 1, time: 1 };
      await store.append({ ...place, events: batch, end: SUCCEEDED });
      if (turn === turns[0]) await store.deleteNamed(sessionId, "local", 5);
    }
    expect(await store.removeSome()).toBe(true);
    await store.close();

    const settings = { ...environment.variables, BREAKGLASS_RETENTION_SECONDS: "0" };
    // While it is served nobody else can look into the database.
    const left = await eventually(
      async () => {
        await using serve = await startServeProcess(settings);
        using connection = connect(serve.url);
        const listed = await connection.client.listTurns({ sessionId });
        expect(listed.turns.map(({ turnId }) => turnId)).toEqual([turns[1].turnId]);
        await serve.end("SIGTERM");
        return countIn(join(data, "breakglass.db"));
      },
      (count) => count === 10,
      30_000,
    );
    expect(left).toBe(10);
  });
});

function countIn(path: string): unknown {
  const database = new DatabaseSync(path);
  const row = database.prepare("SELECT count(*) AS count FROM events").get();
  database.close();
  return row?.count;
}
