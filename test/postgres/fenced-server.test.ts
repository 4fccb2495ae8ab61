import process from "node:process";
import { describe, expect, inject, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ExitStatus } from "../../src/commands/exit-status.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { makeDatabase, without } from "./databases.ts";
import { startReplica } from "./several-servers.ts";

const cluster = inject("cluster");

describe.skipIf(cluster === undefined)(
  `a server that was stopped for longer than its lease${without(cluster)}`,
  () => {
    it("appends nothing when it goes on, and ends by itself so that it is started again", async () => {
      await using database = await makeDatabase(cluster!);
      await using one = await startReplica(database);
      await using other = await startReplica(database);
      // Of all that its agent says from then on nothing may come on record.
      const chatter = Array.from({ length: 3000 }, (_, n) => [`say text ${n}`, "pause 20"]);
      const prompt = script(...chatter.flat());
      await using reader = new EventReader(one.client.runTurn({ prompt }));
      while (valuesOf(reader.seen, "text").length < 25) await reader.until("text");
      const { turnId, sessionId } = reader.seen[0]!;
      process.kill(one.process.pid, "SIGSTOP");

      const lost = await eventually(
        () => other.client.getTurn({ turnId }),
        ({ turn }) => turn?.state === TurnState.LOST,
        60_000,
      );
      const before = durable(await collect(other.client.attachTurn({ turnId })));
      expect(before.at(-1)?.kind).toMatchObject({
        case: "error",
        value: { reason: ErrorReason.SERVER_RESTARTED },
      });
      expect(before.map(({ sequence }) => sequence)).toEqual(before.map((_, n) => n + 1));
      // The agent of a server that is stopped goes on: nothing but the operator's watchdog ends it.
      expect(one.agents().length).toBeGreaterThan(0);

      process.kill(one.process.pid, "SIGCONT");
      expect(await one.process.exited).toBe(ExitStatus.fenced);
      expect(one.agents()).toEqual([]);
      const after = durable(await collect(other.client.attachTurn({ turnId })));
      expect(bytesOf(after)).toEqual(bytesOf(before));
      expect((await other.client.getTurn({ turnId })).turn).toEqual(lost.turn);
      expect(bytesOf(durable(reader.seen))).toEqual(
        bytesOf(before.slice(0, durable(reader.seen).length)),
      );

      await using again = await one.again();
      const next = await collect(again.client.runTurn({ sessionId, prompt: "say back" }));
      expect(next.at(-1)?.kind.case).toBe("result");
    });
  },
);
