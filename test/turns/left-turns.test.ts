import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { bytesOf, collect, durable } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment } from "../support/test-environment.ts";

const STORAGE = { code: "Unavailable", reason: "STORAGE" };

describe("a server that starts on a full disk after it was killed in the middle of a turn", () => {
  it("serves what is there, starts nothing, and records the turn's end when there is room", async () => {
    await using environment = await createTestEnvironment();
    const { variables } = environment;
    await using first = await startServeProcess(variables);
    const { turnId, sessionId, seen } = await killUnderTurn(first);

    await using second = await startServeProcess(variables, ["prlimit", "--fsize=1:unlimited"]);
    using connection = connect(second.url);
    const { client } = connection;
    const reader = new EventReader(client.attachTurn({ turnId }));
    expect(await refusalOf(reader.rest())).toMatchObject(STORAGE);
    expect(bytesOf(durable(reader.seen))).toEqual(seen);
    expect(await refusalOf(client.runTurn({ prompt: "say no" }))).toMatchObject(STORAGE);
    expect(await refusalOf(client.cancelTurn({ turnId }))).toMatchObject(STORAGE);
    const { turns } = await client.listTurns({ sessionId });
    expect(turns).toMatchObject([{ turnId, state: TurnState.RUNNING }]);

    execFileSync("prlimit", ["--pid", String(second.pid), "--fsize=unlimited"]);
    const { turn } = await eventually(
      () => client.getTurn({ turnId }),
      (response) => response.turn?.state !== TurnState.RUNNING,
      20_000,
    );
    expect(turn).toMatchObject({
      state: TurnState.LOST,
      errorReason: ErrorReason.SERVER_RESTARTED,
    });
    const events = durable(await collect(client.attachTurn({ turnId })));
    expect(bytesOf(events.slice(0, -1))).toEqual(seen);
    const next = await collect(client.runTurn({ prompt: "say on", sessionId }));
    expect(next.at(-1)!.kind.case).toBe("result");
  });
});

/** Kills a server while it runs a turn; answers what of the turn was delivered. */
async function killUnderTurn(server: Awaited<ReturnType<typeof startServeProcess>>) {
  using connection = connect(server.url);
  const prompt = script("many 5", "hang");
  await using reader = new EventReader(connection.client.runTurn({ prompt }));
  while (reader.seen.at(-1)?.sequence !== 6) await reader.until("text");
  const { turnId, sessionId } = reader.seen[0]!;
  await server.end("SIGKILL");
  return { turnId, sessionId, seen: bytesOf(durable(reader.seen)) };
}
