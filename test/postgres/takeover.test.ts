import { randomUUID } from "node:crypto";
import { describe, expect, inject, it } from "vitest";
import {
  ErrorReason,
  NoticeReason,
  type TurnEvent,
  TurnState,
} from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, cases, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { refusalOf } from "../support/refusals.ts";
import { makeDatabase, without } from "./databases.ts";
import { type Replica, startReplica } from "./several-servers.ts";

const cluster = inject("cluster");
/** What a lease and a busy machine may take together. */
const WITHIN_MS = 60_000;

describe.skipIf(cluster === undefined)(
  `a session whose home is gone, with servers on one PostgreSQL database${without(cluster)}`,
  () => {
    it("is refused until the lease of a home that was killed is over, and goes on then", async () => {
      await using database = await makeDatabase(cluster!);
      await using one = await startReplica(database);
      await using other = await startReplica(database);
      const prompt = script("many 20", "hang");
      await using reader = new EventReader(one.client.runTurn({ prompt }));
      while (valuesOf(reader.seen, "text").length < 20) await reader.until("text");
      const { turnId, sessionId } = reader.seen[0]!;
      await one.process.end("SIGKILL");

      const early = await refused(other, sessionId);
      expect(early).toMatchObject({ code: "Unavailable", reason: "SESSION_ELSEWHERE" });
      expect(early.retryMs).toBeGreaterThan(0);
      const next = await goesOn(other, sessionId);
      const { turn } = await other.client.getTurn({ turnId });
      expect(turn).toMatchObject({
        state: TurnState.LOST,
        errorReason: ErrorReason.SERVER_RESTARTED,
        lastSequence: durable(reader.seen).length + 1,
      });
      const lost = durable(await collect(other.client.attachTurn({ turnId })));
      expect(bytesOf(lost.slice(0, -1))).toEqual(bytesOf(durable(reader.seen)));
      beginsWithNotice(next);

      // It is at home there from then on.
      await using again = await one.again();
      expect((await refused(again, sessionId)).reason).toBe("SESSION_ELSEWHERE");
      expect(cases(durable(await run(other, sessionId)))[0]).not.toBe("notice");
    });

    it("moves at once where its home has drained", async () => {
      await using database = await makeDatabase(cluster!);
      await using one = await startReplica(database);
      const first = await run(one, "");
      // It has not been there for a lease's time: nobody has to be taken for gone.
      await using other = await startReplica(database);
      const { sessionId } = first[0]!;
      expect((await refused(other, sessionId)).reason).toBe("SESSION_ELSEWHERE");
      expect(await one.process.end("SIGTERM")).toBe(0);
      beginsWithNotice(await run(other, sessionId));
      const { session } = await other.client.getSession({ sessionId });
      expect(session).toMatchObject({ turnCount: 2, runningTurnId: "" });
    });

    it("goes on at home within two seconds where that starts again on its disk", async () => {
      await using database = await makeDatabase(cluster!);
      await using one = await startReplica(database);
      await using other = await startReplica(database);
      await using reader = new EventReader(
        one.client.runTurn({ prompt: script("say hi", "hang") }),
      );
      await reader.until("text");
      const { turnId, sessionId } = reader.seen[0]!;
      await one.process.end("SIGKILL");
      await using again = await one.again();
      const begun = performance.now();
      await eventually(
        () => other.client.getTurn({ turnId }),
        ({ turn }) => turn?.state === TurnState.LOST,
      );
      expect(performance.now() - begun).toBeLessThan(2000);
      expect(cases(durable(await run(again, sessionId)))[0]).toBe("session");
    });
  },
);

describe.skipIf(cluster === undefined)(
  `one request at all servers on one PostgreSQL database${without(cluster)}`,
  () => {
    it("is one turn, with one agent, in a new session and in one that has lost its home", async () => {
      await using database = await makeDatabase(cluster!);
      await using gone = await startReplica(database);
      const { sessionId } = (await run(gone, ""))[0]!;
      expect(await gone.process.end("SIGTERM")).toBe(0);
      await using one = await startReplica(database);
      await using other = await startReplica(database);
      await using third = await startReplica(database);
      for (const inSession of ["", sessionId]) {
        const asked = { sessionId: inSession, prompt: "bash echo began", requestId: randomUUID() };
        const all = [one, other, third, one, other, third];
        const answers = await Promise.all(all.map((replica) => retried(replica, asked)));
        const [first] = answers;
        for (const events of answers) expect(bytesOf(events)).toEqual(bytesOf(first!));
        expect(first?.at(-1)?.kind.case).toBe("result");
        expect(valuesOf(first!, "toolResult").length).toBe(1);
        const named = first![0]!.sessionId;
        const { turns } = await one.client.listTurns({ sessionId: named, pageSize: 10 });
        expect(turns.length).toBe(inSession === "" ? 1 : 2);
      }
    });
  },
);

/** Runs a turn to its end. */
function run({ client }: Replica, sessionId: string) {
  return collect(client.runTurn({ sessionId, prompt: "say on" }));
}

/** What a server says who does not run a session's turn. */
function refused({ client }: Replica, sessionId: string) {
  return refusalOf(client.runTurn({ sessionId, prompt: "say on" }));
}

/** Asks as a client does that comes again where it was told to. */
async function retried(
  { client }: Replica,
  asked: { readonly sessionId: string; readonly prompt: string; readonly requestId: string },
): Promise<TurnEvent[]> {
  const answer = await eventually(
    () => collect(client.runTurn(asked)).catch((error: unknown) => String(error)),
    (found) => typeof found !== "string",
    WITHIN_MS,
  );
  if (typeof answer === "string") throw new Error(answer);
  return durable(answer);
}

/** Runs a turn as soon as it is taken. */
function goesOn(replica: Replica, sessionId: string): Promise<TurnEvent[]> {
  return retried(replica, { sessionId, prompt: "say on", requestId: randomUUID() });
}

function beginsWithNotice(events: readonly TurnEvent[]): void {
  const log = durable(events);
  const value = { reason: NoticeReason.SESSION_MOVED };
  expect(log[0]?.kind).toMatchObject({ case: "notice", value });
  expect(log.at(-1)?.kind.case).toBe("result");
}
