import { randomBytes } from "node:crypto";
import { on } from "node:events";
import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SnapshotAnswer, SnapshotJob } from "../../src/snapshots/snapshot-jobs.ts";
import { keyText } from "../../src/snapshots/snapshot-key.ts";
import type { SnapshotAddress } from "../../src/snapshots/snapshot-place.ts";
import { freePort } from "../support/free-port.ts";
import { NODE_FLAGS } from "../support/program.ts";
import {
  addressOf,
  findS3Server,
  type S3Server,
  startRelay,
  startS3Server,
  withoutS3,
} from "./s3-server.ts";

/** The thread that the server has for it, as Node runs it: Vitest has conditions of its own for what packages are. */
const thread = new Worker(new URL("../../src/snapshots/snapshot-worker.ts", import.meta.url), {
  execArgv: [...NODE_FLAGS],
});
afterAll(() => thread.terminate());

let asked = 0;

async function perform(job: SnapshotJob): Promise<SnapshotAnswer> {
  const id = ++asked;
  thread.postMessage([id, job]);
  for await (const [[answered, answer]] of on(thread, "message")) {
    if (answered === id) return answer;
  }
  throw new Error("the thread ended");
}

const LIMITS = { maxBytes: 2 ** 30, bytesPerSecond: 2 ** 40, longestMs: 60_000 };
const TURN = "01a224b6-e208-73fa-9731-b29767e7e1d1";

let folder: string;
let workspace: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "breakglass-place-"));
  workspace = join(folder, "workspace");
  await mkdir(workspace);
  await writeFile(join(workspace, "file"), "text");
  // More than a part: it is uploaded in several.
  await writeFile(join(workspace, "large"), randomBytes(20_000_000));
});
afterEach(() => rm(folder, { recursive: true }));

const keyOf = (epoch: number, time = 1) =>
  keyText({ sessionKey: "a session", epoch, turnId: TURN, time });

function save(address: SnapshotAddress, key: string, more: Partial<typeof LIMITS> = {}) {
  const limits = { ...LIMITS, ...more };
  return perform({ kind: "save", address, key, workspace, limits, fingerprint: undefined });
}

function restore(address: SnapshotAddress, key: string) {
  const there = join(folder, "restored");
  const job = { kind: "restore", address, key, workspace: there, limits: LIMITS } as const;
  return perform({ ...job, owner: undefined });
}

async function remove(
  address: SnapshotAddress,
  more: Partial<SnapshotJob & { kind: "remove" }> = {},
): Promise<void> {
  const job = { kind: "remove", address, session: "a%20session" } as const;
  const answer = await perform({ ...job, except: undefined, upTo: undefined, ...more });
  expect(answer).toEqual({ outcome: "removed" });
}

async function expectRestored(address: SnapshotAddress, key: string): Promise<void> {
  expect(await restore(address, key)).toMatchObject({ outcome: "restored" });
  for (const name of ["file", "large"]) {
    const [before, after] = [join(workspace, name), join(folder, "restored", name)];
    expect((await readFile(after)).equals(await readFile(before))).toBe(true);
  }
  expect(lstatSync(join(folder, "restored")).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
}

function describePlace(addressOfPlace: () => SnapshotAddress): void {
  it("gives back what was saved", async () => {
    const address = addressOfPlace();
    expect(await save(address, keyOf(1))).toMatchObject({ outcome: "saved" });
    await expectRestored(address, keyOf(1));
    await remove(address);
    // What is there is left as it is.
    expect(await restore(address, keyOf(1))).toMatchObject({ outcome: "restored" });
    await rm(join(folder, "restored"), { recursive: true });
    expect(await restore(address, keyOf(1))).toMatchObject({ outcome: "failed" });
  });

  it("removes those of an incarnation and before, but for one", async () => {
    const address = addressOfPlace();
    const keys = [keyOf(1), keyOf(3, 1), keyOf(3, 2), keyOf(4)];
    await truncate(join(workspace, "large"), 10);
    for (const key of keys) expect(await save(address, key)).toMatchObject({ outcome: "saved" });
    await remove(address, { except: keyOf(3, 2), upTo: 3 });
    for (const key of keys) {
      const { outcome } = await restore(address, key);
      expect(outcome).toBe(key === keys[2] || key === keys[3] ? "restored" : "failed");
      await rm(join(folder, "restored"), { recursive: true, force: true });
    }
    await remove(address);
  });
}

describe("snapshots in a folder", () => {
  const address = (): SnapshotAddress => ({ kind: "folder", path: join(folder, "snapshots") });
  describePlace(address);

  it("are their owner's alone, and whole or not there", async () => {
    await save(address(), keyOf(1));
    const path = join(folder, "snapshots", keyOf(1));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "snapshots")).mode & 0o777).toBe(0o700);
    const late = await save(address(), keyOf(2), { bytesPerSecond: 5_000_000, longestMs: 500 });
    expect(late).toMatchObject({ outcome: "failed" });
    expect(readdirSync(join(folder, "snapshots", "a%20session"))).toHaveLength(1);
  });

  it("that are cut off or changed are not restored", async () => {
    await save(address(), keyOf(1));
    const path = join(folder, "snapshots", keyOf(1));
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, -100));
    expect(await restore(address(), keyOf(1))).toMatchObject({ outcome: "failed" });
    whole[whole.length - 1]! ^= 1;
    await writeFile(path, whole);
    expect(await restore(address(), keyOf(1))).toMatchObject({ outcome: "failed" });
    expect(existsSync(join(folder, "restored"))).toBe(false);
  });

  it("are taken at a pace, and not of what is too large", async () => {
    const begun = performance.now();
    await save(address(), keyOf(1), { bytesPerSecond: 20_000_000 });
    expect(performance.now() - begun).toBeGreaterThan(900);
    const large = await save(address(), keyOf(2), { maxBytes: 20_000_000 });
    expect(large).toMatchObject({ outcome: "too-large" });
    expect(readdirSync(join(folder, "snapshots", "a%20session"))).toHaveLength(1);
  });
});

const program = findS3Server();

describe.skipIf(program === undefined)(`snapshots in a bucket${withoutS3()}`, () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  const address = () => addressOf(server, server.endpoint);

  describePlace(address);

  it("are below the URL's prefix", async () => {
    await save(address(), keyOf(1));
    expect(existsSync(server.fileOf(`some/where/${keyOf(1)}`))).toBe(true);
    await remove(address());
  });

  it("that is not there, does not know the server or has no such bucket is said to fail, and why", async () => {
    const away = addressOf(server, `http://127.0.0.1:${await freePort()}`);
    const wrong = { accessKeyId: "tester", secretAccessKey: "wrong", sessionToken: undefined };
    const stranger = addressOf(server, server.endpoint, { credentials: wrong });
    const nowhere = addressOf(server, server.endpoint, { bucket: "no-such-bucket" });
    const why = [/ECONNREFUSED/, /403/, /NoSuchBucket \(404\)/];
    for (const [index, each] of [away, stranger, nowhere].entries()) {
      for (const asked of [save(each, keyOf(1)), restore(each, keyOf(1))]) {
        const answer = await asked;
        expect(answer).toMatchObject({ outcome: "failed" });
        expect((answer as { message: string }).message).toMatch(why[index]!);
      }
    }
    expect(existsSync(join(folder, "restored"))).toBe(false);
  });

  it("that is cut off in the middle of an upload has nothing of it", async () => {
    for (const bytes of [1000, 10_000_000, 18_000_000]) {
      await using relay = await startRelay(server, "cut", bytes);
      const cut = await save(addressOf(server, relay.endpoint), keyOf(bytes));
      expect(cut).toMatchObject({ outcome: "failed" });
      expect(await restore(address(), keyOf(bytes))).toMatchObject({ outcome: "failed" });
    }
  });

  it("that takes no more is given up, and the thread goes on", async () => {
    for (const bytes of [1000, 10_000_000]) {
      await using relay = await startRelay(server, "stall", bytes);
      const stalled = addressOf(server, relay.endpoint);
      const late = await save(stalled, keyOf(1), { longestMs: 1500 });
      expect(late).toMatchObject({ outcome: "failed" });
      expect(await restore(address(), keyOf(1))).toMatchObject({ outcome: "failed" });
    }
    expect(await save(address(), keyOf(1))).toMatchObject({ outcome: "saved" });
    await expectRestored(address(), keyOf(1));
  });
});
