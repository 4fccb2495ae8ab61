import { randomUUID } from "node:crypto";
import { appendFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { keepTranscript } from "../../src/turns/keep-transcript.ts";
import { TranscriptMoves } from "../../src/turns/transcript-moves.ts";
import { eventually } from "../support/processes.ts";
import {
  fileOf,
  type KeepingServer,
  type KeptConversations,
  lineOf,
  longLine,
  namesIn,
  startKeeping,
} from "./kept-conversations.ts";

/** Has what is new kept; resolves when it is. */
async function keep(server: KeepingServer, session: Parameters<typeof keepTranscript>[0]) {
  await keepTranscript(session, server.surroundings);
}

function starts(server: KeepingServer): number[] {
  return server.segments.map(({ start }) => start);
}

async function keeping(test: (kept: KeptConversations) => Promise<void>): Promise<void> {
  await using kept = await startKeeping();
  await test(kept);
}

const FORGOT = { remembers: false };
const REMEMBERS = { remembers: true };

describe("a conversation", () => {
  it("is on another server what it was after the last turn, to the byte, whatever its length", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      const turns = ["short\n", longLine(700_000), longLine(262_144), "次 \u2028\n", longLine(10)];
      for (let turn = 1; turn <= turns.length; turn++) {
        const text = await session.write(...turns.slice(0, turn));
        await keep(one, session);
        const there = moved(session);
        expect(await other.moves.bring(there)).toEqual(REMEMBERS);
        expect(await fileOf(there.file)).toEqual(text);
        expect(await namesIn(there.workspace)).toEqual([]);
      }
      expect(other.log.at(-1)).toMatchObject({ message: "a session's conversation was restored" });
    }));

  it("costs the store what it has grown by, and nothing where it has not", () =>
    keeping(async ({ one, openSession }) => {
      const session = await openSession();
      const first = await session.write(longLine(300_000));
      await keep(one, session);
      expect(starts(one)).toEqual([0, 262_144]);
      await keep(one, session);
      expect(one.segments).toHaveLength(2);
      await appendFile(session.file, "more\n");
      await keep(one, session);
      expect(starts(one).slice(2)).toEqual([first.length]);
      expect(one.segments.every(({ bytes }) => bytes.length < 300_000)).toBe(true);
    }));

  it("has what its subagents were told with it, each file as it was", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      await session.write("a\n");
      const subagents = join(dirname(session.file), session.conversationId, "subagents");
      await mkdir(subagents, { recursive: true });
      await writeFile(join(subagents, "agent-1.jsonl"), "one\n");
      await writeFile(join(subagents, "agent-1.meta.json"), "{}");
      await keep(one, session);
      await writeFile(join(subagents, "agent-1.meta.json"), '{"changed":true}');
      await writeFile(join(subagents, "agent-2.jsonl"), "two\n");
      await keep(one, session);
      const there = moved(session);
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      const restored = join(dirname(there.file), there.conversationId, "subagents");
      expect(await namesIn(restored)).toEqual([
        "agent-1.jsonl",
        "agent-1.meta.json",
        "agent-2.jsonl",
      ]);
      expect(String(await fileOf(join(restored, "agent-1.meta.json")))).toBe('{"changed":true}');
      // One file that changed has only itself kept anew.
      expect(one.segments.filter(({ file }) => file === "conversation.jsonl")).toHaveLength(1);
    }));

  it("is what it was before, where its server was killed between two segments, and goes on from there", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      const before = await session.write("before\n");
      await keep(one, session);
      for (let segments = 0; segments < 3; segments++) {
        const long = [longLine(900_000)];
        const after = await session.write("before\n", ...long);
        one.leftSegments = segments;
        await expect(keep(one, session)).rejects.toMatchObject({ reason: "STORAGE" });
        one.leftSegments = undefined;
        const there = moved(session);
        expect(await other.moves.bring(there)).toEqual(REMEMBERS);
        expect(await fileOf(there.file)).toEqual(before);
        if (segments < 2) continue;
        // The machine lost what was not on its disk: what follows is shorter than what was written of it.
        const shorter = await session.write("before\n", longLine(300_000));
        await keep(one, session);
        const again = moved(session);
        expect(await other.moves.bring(again)).toEqual(REMEMBERS);
        expect(await fileOf(again.file)).toEqual(shorter);
        expect(shorter.length).toBeLessThan(after.length);
        const longer = await session.write(
          ...shorter
            .toString()
            .split(/(?<=\n)/)
            .slice(1),
          longLine(600_000),
        );
        await keep(one, session);
        const last = moved(session);
        expect(await other.moves.bring(last)).toEqual(REMEMBERS);
        expect(await fileOf(last.file)).toEqual(longer);
      }
    }));

  it.each([
    ["was rewritten from its beginning", (long: string) => ["rewritten\n", long]],
    ["was made shorter", () => []],
    ["was rewritten in its middle", (long: string) => [long, "other\n", long]],
  ])(
    "that %s is kept anew and whole: the old or the new, and never something of both",
    (_how, rewrite) =>
      keeping(async ({ one, other, openSession, moved }) => {
        const session = await openSession();
        const long = longLine(300_000);
        const old = await session.write(long, "plain\n", long);
        await keep(one, session);
        const now = await session.write(...rewrite(long));
        for (let segments = 0; segments < Math.ceil(now.length / 262_144); segments++) {
          one.leftSegments = segments;
          await expect(keep(one, session)).rejects.toMatchObject({ reason: "STORAGE" });
          one.leftSegments = undefined;
          const there = moved(session);
          expect(await other.moves.bring(there)).toEqual(REMEMBERS);
          expect(await fileOf(there.file)).toEqual(old);
        }
        await keep(one, session);
        const there = moved(session);
        expect(await other.moves.bring(there)).toEqual(REMEMBERS);
        expect(await fileOf(there.file)).toEqual(now);
        // Nothing is left of what was replaced.
        const replaced = { ...one.segments[0]!, start: 0 };
        expect(await one.store.readSegments(replaced, 1)).toEqual([]);
      }),
  );

  it("that is rewritten while it is read is not kept so, and is what it was before", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      const old = await session.write("old\n");
      await keep(one, session);
      const grown = await session.write("old\n", longLine(300_000), longLine(300_000));
      one.onSegment = async () => {
        one.onSegment = async () => {};
        await session.write("old\n", longLine(300_000), longLine(300_000));
      };
      await expect(keep(one, session)).rejects.toThrow("was rewritten while it was read");
      const there = moved(session);
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      expect(await fileOf(there.file)).toEqual(old);
      await keep(one, session);
      const again = moved(session);
      expect(await other.moves.bring(again)).toEqual(REMEMBERS);
      expect(await fileOf(again.file)).toEqual(await fileOf(session.file));
      expect(await fileOf(again.file)).not.toEqual(grown);
    }));

  it("that the agent has begun anew under another id takes the place of the one before", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      await session.write("the first\n");
      await keep(one, session);
      const conversationId = randomUUID();
      const file = join(dirname(session.file), `${conversationId}.jsonl`);
      const text = `${lineOf(session.workspace)}the second\n`;
      await writeFile(file, text);
      await keep(one, { ...session, conversationId });
      const there = moved({ ...session, conversationId });
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      expect(String(await fileOf(there.file))).toBe(text);
      expect(await other.moves.bring(moved(session))).toEqual(FORGOT);
    }));

  it("that is not whole in the store is not put anywhere, and the log says what is missing", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      await session.write(longLine(700_000));
      await keep(one, session);
      const [first, second, third] = [one.segments[0]!, one.segments[1]!, one.segments[2]!];
      const { epoch } = one.store.lease;
      const forgets = async (why: string) => {
        const there = moved(session);
        expect(await other.moves.bring(there)).toEqual(FORGOT);
        expect(await namesIn(dirname(there.file))).toEqual([]);
        expect(await namesIn(dirname(there.workspace))).toHaveLength(++workspaces);
        expect(JSON.stringify(other.log.at(-1))).toContain(why);
      };
      let workspaces = 0;
      await one.store.recordSegment(second, epoch);
      await forgets("bytes 524288 to ");
      await one.store.recordSegment(third, epoch);
      await one.store.recordSegment(first, epoch);
      await one.store.recordSegment(third, epoch);
      await forgets("bytes 262144 to 524288 of conversation.jsonl are missing");
      await one.store.recordSegment({ ...second, bytes: first.bytes }, epoch);
      await one.store.recordSegment(third, epoch);
      await forgets("conversation.jsonl is not what was kept of it");
      await one.store.recordSegment({ ...second, bytes: second.bytes.slice(0, 100) }, epoch);
      await one.store.recordSegment(third, epoch);
      await forgets("cannot be restored");
      await one.store.recordSegment(second, epoch);
      await one.store.recordSegment(third, epoch);
      expect(await other.moves.bring(moved(session))).toEqual(REMEMBERS);
    }));

  it("that is too large is not kept, none of it, which is said once, and is kept when it fits again", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      const bounds = { bytes: 1000, files: 2 };
      const keepBounded = () => keepTranscript(session, one.surroundings, bounds);
      const told = () => one.log.filter(({ message }) => /is not kept/.test(String(message)));
      await session.write("small\n");
      await keepBounded();
      await session.write(longLine(1000));
      await keepBounded();
      await keepBounded();
      expect(told()).toHaveLength(1);
      expect(String(told()[0]?.why)).toMatch(/^it has \d+ bytes, and 1000 are kept at most$/);
      expect(await one.store.readSegments(one.segments[0]!, 1)).toEqual([]);
      expect(await other.moves.bring(moved(session))).toEqual(FORGOT);
      expect(String(other.log.at(-1)?.why)).toContain("1000 are kept at most");
      const text = await session.write("small again\n");
      await keepBounded();
      const there = moved(session);
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      expect(await fileOf(there.file)).toEqual(text);

      const subagents = join(dirname(session.file), session.conversationId, "subagents");
      await mkdir(subagents, { recursive: true });
      for (const n of [1, 2]) await writeFile(join(subagents, `agent-${n}.jsonl`), "x\n");
      await keepBounded();
      expect(String(told()[1]?.why)).toBe("it has 3 files, and 2 are kept at most");
    }));

  it("of which nothing was kept, or whose agent cannot take it, begins empty, and the log says why", () =>
    keeping(async ({ other, openSession, moved }) => {
      const session = await openSession();
      expect(await other.moves.bring(moved(session))).toEqual(FORGOT);
      expect(other.log.at(-1)?.why).toBe("nothing of it was kept");
      const cannot = { ...moved(session), agentKind: "another" };
      expect(await other.moves.bring(cannot)).toEqual(FORGOT);
      expect(other.log.at(-1)?.why).toBe("the record of the agent another cannot be restored");
      expect(await other.moves.bring({ ...moved(session), conversationId: "" })).toEqual(FORGOT);
    }));

  it("takes the place of what its disk had of it when it was at home there before", () =>
    keeping(async ({ one, openSession, moved }) => {
      const session = await openSession();
      await session.write("early\n");
      await keep(one, session);
      const late = await session.write("early\n", "late\n");
      await keep(one, session);
      await session.write("early\n");
      const same = { ...session };
      expect(await one.moves.bring(same)).toEqual(REMEMBERS);
      expect(await fileOf(session.file)).toEqual(late);
      const back = moved(session, one);
      expect(await one.moves.bring(back)).toEqual(REMEMBERS);
      expect(await fileOf(back.file)).toEqual(late);
      // It is what is kept from now on.
      await appendFile(back.file, "later\n");
      await keep(one, back);
      expect(one.segments.at(-1)?.start).toBe(late.length);
    }));
});

describe("what is to be kept", () => {
  it("waits for a store that is away, in nobody's way, and is kept once it is back", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      one.isAway = true;
      await session.write("a\n");
      one.moves.keep(session);
      await eventually(
        () => one.refused,
        (count) => count > 0,
        30_000,
      );
      const text = await session.write("a\n", "b\n");
      one.moves.keep(session);
      one.isAway = false;
      await one.moves.drain(30_000);
      const there = moved(session);
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      expect(await fileOf(there.file)).toEqual(text);
      expect(one.log).toEqual([]);
    }));

  it("is given up when the server ends, which the log says, and is kept by the next start", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      const text = await session.write("a\n");
      one.isAway = true;
      one.moves.keep(session);
      await one.moves.drain(10);
      expect(one.log.map(({ message }) => message)).toEqual([
        "the newest of some conversations is not kept",
      ]);
      one.isAway = false;
      const next = new TranscriptMoves(one.surroundings);
      await next.recover();
      await next.drain(30_000);
      const there = moved(session);
      expect(await other.moves.bring(there)).toEqual(REMEMBERS);
      expect(await fileOf(there.file)).toEqual(text);
    }));

  it("is nothing any more where the session has gone, or is at home elsewhere", () =>
    keeping(async ({ one, other, openSession, moved }) => {
      const session = await openSession();
      await session.write("a\n");
      other.moves.keep(session);
      const there = moved(session);
      await mkdir(dirname(there.file), { recursive: true });
      await writeFile(there.file, lineOf(there.workspace));
      other.moves.keep(there);
      await other.moves.drain(30_000);
      one.moves.keep({ ...session, sessionKey: "gone" });
      await one.moves.drain(30_000);
      expect([one.log, other.log]).toEqual([[], []]);
      expect(await one.store.findTranscript(session.sessionKey)).toBeUndefined();
    }));
});
