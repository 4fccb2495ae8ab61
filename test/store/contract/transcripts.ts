import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Transcript, TranscriptSegment } from "../../../src/store/transcripts.ts";
import { beginEnded, endOf, FENCED, nextIn, openServers, PRINCIPAL, TERMS } from "./servers.ts";
import type { StoreUnderTest } from "./store-under-test.ts";

const NOT_FOUND = { reason: "NOT_FOUND" };

/** What servers rely on of what is kept of agents' own records. */
export function describeTranscripts(openStore: () => Promise<StoreUnderTest>): void {
  const open = () => openServers(openStore);

  describe("a transcript", () => {
    it("is what was recorded of it last, byte for byte, whoever asks and when", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      expect(await one.findTranscript(sessionKey)).toBeUndefined();
      const segments = [0, 1000, 2000].map((start) => segment(sessionKey, { start }));
      for (const each of segments) await one.recordSegment(each);
      const first = transcript(sessionKey, { files: [file(2000)] });
      await one.recordTranscript(first);
      expect(await other.findTranscript(sessionKey)).toEqual(first);
      const whole = transcript(sessionKey, { files: [file(3000)], refusal: "why", time: 7 });
      await one.recordTranscript(whole);
      const again = await servers.restart("one");
      expect(await again.findTranscript(sessionKey)).toEqual(whole);
      expect(plain(await again.readSegments(segments[0]!, 1_000_000))).toEqual(plain(segments));
      expect(plain(await again.readSegments(segments[1]!, 1_000_000))).toEqual(
        plain(segments.slice(1)),
      );
    });

    it("is read in pieces, each with one segment at least", async () => {
      await using servers = await open();
      const { one } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      const segments = [0, 10, 20, 30].map((start) => segment(sessionKey, { start }, 100));
      for (const each of segments) await one.recordSegment(each);
      const starts = async (from: number, maxBytes: number) =>
        (await one.readSegments({ ...segments[0]!, start: from }, maxBytes)).map((it) => it.start);
      expect(await starts(0, 1)).toEqual([0]);
      expect(await starts(5, 101)).toEqual([10, 20]);
      expect(await starts(31, 100)).toEqual([]);
    });

    it("has segments of more than one file and generation, which know nothing of each other", async () => {
      await using servers = await open();
      const { one } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      const another = (await beginEnded(one)).session.sessionKey;
      const segments = [
        segment(sessionKey),
        segment(sessionKey, { generation: 2 }),
        segment(sessionKey, { file: "other" }),
        segment(another),
      ];
      for (const each of segments) await one.recordSegment(each);
      for (const each of segments) {
        expect(plain(await one.readSegments(each, 1_000_000))).toEqual(plain([each]));
      }
    });

    it("has nothing left of its file behind a segment that is written once more", async () => {
      await using servers = await open();
      const { one } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      const before = [0, 100, 200].map((start) => segment(sessionKey, { start }));
      for (const each of before) await one.recordSegment(each);
      const anew = segment(sessionKey, { start: 50 });
      await one.recordSegment(anew);
      const found = await one.readSegments(before[0]!, 1_000_000);
      expect(plain(found)).toEqual(plain([before[0]!, anew]));
    });

    it("loses the segments that are not its own any more, in pieces, and no other", async () => {
      await using servers = await open();
      const { one } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      const sizes = { generation: 1 } as const;
      const old = [0, 1, 2, 3].map((start) => segment(sessionKey, { ...sizes, start }, 200_000));
      for (const each of old) await one.recordSegment(each);
      const left = segment(sessionKey, { file: "left" });
      const current = segment(sessionKey, { generation: 2 });
      await one.recordSegment(left);
      await one.recordSegment(current);
      await one.recordTranscript(transcript(sessionKey, { files: [file(100, 2)] }));
      let pieces = 1;
      while (await one.removeReplaced(sessionKey)) pieces++;
      expect(pieces).toBeGreaterThan(1);
      expect(await one.readSegments(old[0]!, 1_000_000)).toEqual([]);
      expect(await one.readSegments(left, 1_000_000)).toEqual([]);
      expect(await one.readSegments(current, 1_000_000)).toHaveLength(1);
    });

    it("is written under a lease that holds, by the session's home alone", async () => {
      await using servers = await open();
      const { one, other, passLeases } = servers;
      const { sessionKey } = (await beginEnded(one)).session;
      const elsewhere = { reason: "SESSION_ELSEWHERE", details: { metadata: { home: "one" } } };
      const writes = (server: typeof one) => [
        server.recordSegment(segment(sessionKey)),
        server.recordTranscript(transcript(sessionKey)),
        server.removeReplaced(sessionKey),
      ];
      for (const write of writes(other)) await expect(write).rejects.toMatchObject(elsewhere);
      passLeases(TERMS.leaseMs + 1);
      expect(await other.fence("one")).toBe(true);
      for (const write of writes(one)) await expect(write).rejects.toMatchObject(FENCED);
      expect(await other.findTranscript(sessionKey)).toBeUndefined();
      expect(await other.readSegments(segment(sessionKey), 1000)).toEqual([]);
      const again = await servers.restart("one");
      await again.recordSegment(segment(sessionKey));
      await expect(again.recordSegment(segment("none"))).rejects.toMatchObject(NOT_FOUND);
      await expect(again.recordTranscript(transcript("none"))).rejects.toMatchObject(NOT_FOUND);
    });

    it("is removed with its session, in pieces, and not with one of its turns", async () => {
      await using servers = await open();
      const { one } = servers;
      const { turn, session } = await beginEnded(one);
      const { sessionKey } = session;
      const kept = [0, 1, 2, 3].map((start) => segment(sessionKey, { start }, 200_000));
      for (const each of kept) await one.recordSegment(each);
      await one.recordTranscript(transcript(sessionKey));
      const next = (await one.createTurn(nextIn(turn.sessionId))).turn;
      await one.append(endOf(next.turnId, 1, 200));
      await one.removeEndedTurns(100, 10, 100);
      while (await one.removeSome());
      expect(await one.readSegments(kept[0]!, 1_000_000)).toHaveLength(4);

      await one.deleteNamed(turn.sessionId, PRINCIPAL, 300);
      await expect(one.recordSegment(kept[0]!)).rejects.toMatchObject(NOT_FOUND);
      let pieces = 1;
      while (await one.removeSome()) pieces++;
      expect(pieces).toBeGreaterThan(2);
      expect(await one.readSegments(kept[0]!, 1_000_000)).toEqual([]);
      expect(await one.findTranscript(sessionKey)).toBeUndefined();
      await one.recordRemoved(session.workspace);
      expect(await one.listRemovals()).toEqual([]);
    });

    it("is listed where it is older than what its session did last, at the session's home", async () => {
      await using servers = await open();
      const { one, other } = servers;
      const sessions = [];
      for (let n = 0; n < 4; n++) sessions.push((await beginEnded(one)).session);
      await beginEnded(one, { newSession: { ...NEW, agentSessionId: "" } });
      sessions.sort((a, b) => (a.sessionKey < b.sessionKey ? -1 : 1));
      const [first, second, third, fourth] = sessions as [Session, Session, Session, Session];
      // Their turns ended at 2.
      await one.recordTranscript(transcript(second.sessionKey, { time: 2 }));
      await one.recordTranscript(transcript(third.sessionKey, { time: 1 }));
      const { sessionId, sessionKey, agentKind, agentSessionId, workspace } = first;
      const place = { sessionId, sessionKey, agentKind, agentSessionId, workspace };
      const unkept = await one.listUnkept("one", 2, "");
      expect(unkept[0]).toEqual(place);
      expect(unkept.map((it) => it.sessionKey)).toEqual([first.sessionKey, third.sessionKey]);
      const rest = await other.listUnkept("one", 2, third.sessionKey);
      expect(rest.map((it) => it.sessionKey)).toEqual([fourth.sessionKey]);
      expect(await other.listUnkept("other", 2, "")).toEqual([]);
    });
  });
}

type Session = Awaited<ReturnType<typeof beginEnded>>["session"];

const NEW = {
  ...{ sessionId: "a new one", agentKind: "driven", agent: "a", model: "m" },
  workspace: "/of/a/new/one",
};

function segment(
  sessionKey: string,
  more: Partial<TranscriptSegment> = {},
  length = 10,
): TranscriptSegment {
  const place = { sessionKey, file: "conversation", generation: 1, start: 0 };
  return { ...place, bytes: randomBytes(length), ...more };
}

function transcript(sessionKey: string, more: Partial<Transcript> = {}): Transcript {
  const files = [file(10)];
  return { sessionKey, conversationId: "a conversation", files, refusal: "", time: 1, ...more };
}

function file(bytes: number, generation = 1): Transcript["files"][number] {
  return { name: "conversation", generation, bytes, crc32: 4_294_967_295 };
}

/** Whichever kind of bytes a store answers. */
function plain(segments: readonly TranscriptSegment[]) {
  return segments.map((each) => ({ ...each, bytes: Buffer.from(each.bytes).toString("hex") }));
}
