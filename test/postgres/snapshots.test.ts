import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { NoticeReason } from "../../gen/breakglass/v1/event_pb.ts";
import { BUCKET, findS3Server, startS3Server } from "../snapshots/s3-server.ts";
import { collect, durable } from "../support/events.ts";
import { eventually } from "../support/processes.ts";
import { makeDatabase, type TestDatabase, without } from "./databases.ts";
import { type Replica, startReplica } from "./several-servers.ts";

const cluster = inject("cluster");

function run({ client }: Replica, sessionId = "") {
  return collect(client.runTurn({ sessionId, prompt: "say on" }));
}

/** The one workspace that a server has with a file in it. */
function workspaceOf({ environment }: Replica): string {
  const sessions = join(environment.root, "data/sessions");
  const names = readdirSync(sessions).filter((name) => !name.startsWith("."));
  return join(
    sessions,
    names.find((name) => existsSync(join(sessions, name, "notes"))) ?? names[0]!,
  );
}

/** Has a session with a file move from one server to the other, and answers the turn that it begins there with. */
async function moved(database: TestDatabase, settings: Readonly<Record<string, string>>) {
  const every = { ...settings, BREAKGLASS_SNAPSHOT_INTERVAL_SECONDS: "0" };
  await using one = await startReplica(database, every);
  await using other = await startReplica(database, every);
  const { sessionId } = (await run(one))[0]!;
  await writeFile(join(workspaceOf(one), "notes"), "what was found");
  await run(one, sessionId);
  expect(await one.process.end("SIGTERM")).toBe(0);
  const events = durable(await run(other, sessionId));
  expect(events.at(-1)?.kind.case).toBe("result");
  const notes = join(workspaceOf(other), "notes");
  const text = existsSync(notes) ? await readFile(notes, "utf8") : undefined;
  const notice = events[0]!.kind;
  await other.client.deleteSession({ sessionId });
  return { notice, text, log: other.process.log() };
}

describe.skipIf(cluster === undefined)(`a session that moves${without(cluster)}`, () => {
  it("finds its workspace as the newest snapshot has it, of which nothing is left when it is deleted", async () => {
    await using database = await makeDatabase(cluster!);
    const folder = await mkdtemp(join(tmpdir(), "breakglass-snapshots-"));
    try {
      const begun = Date.now();
      const { notice, text } = await moved(database, {
        BREAKGLASS_SNAPSHOT_URL: `file:${folder}`,
      });
      expect(text).toBe("what was found");
      expect(notice).toMatchObject({
        case: "notice",
        value: { reason: NoticeReason.SESSION_MOVED },
      });
      expect(
        JSON.stringify(notice, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
      ).toContain(new Date(begun).toISOString().slice(0, 10));
      await eventually(
        () => readdirSync(folder),
        (names) => names.length === 0,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it.skipIf(findS3Server() === undefined)("does so by a bucket", async () => {
    await using database = await makeDatabase(cluster!);
    await using s3 = await startS3Server();
    const { text } = await moved(database, {
      BREAKGLASS_SNAPSHOT_URL: `s3://${BUCKET}/prod?endpoint=${s3.endpoint}`,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    });
    expect(text).toBe("what was found");
  });

  it("goes on in an empty workspace where the snapshots are away, and no turn waits for them", async () => {
    await using database = await makeDatabase(cluster!);
    const { notice, text, log } = await moved(database, {
      BREAKGLASS_SNAPSHOT_URL: "s3://nowhere/at-all?endpoint=http://127.0.0.1:1",
      AWS_ACCESS_KEY_ID: "a",
      AWS_SECRET_ACCESS_KEY: "b",
    });
    expect(text).toBeUndefined();
    expect(notice.case).toBe("notice");
    expect(log).toContain("no snapshot could be taken of a workspace");
  });
});
