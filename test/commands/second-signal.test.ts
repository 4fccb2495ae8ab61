import { expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { EventReader } from "../support/event-reader.ts";
import { script } from "../support/gate.ts";
import { eventually, processesWith } from "../support/processes.ts";
import { connect } from "../support/protocols.ts";
import { refusalOf } from "../support/refusals.ts";
import { startServeProcess } from "../support/serve-process.ts";
import { createTestEnvironment, MARKER } from "../support/test-environment.ts";

it.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)(
  "another %s a second later ends a server that drains at once, with what its turns run, and the store is sound",
  async (signal) => {
    await using environment = await createTestEnvironment({ BREAKGLASS_DRAIN_SECONDS: "600" });
    const { variables } = environment;
    const turnId = await stopTwice();
    const left = () => processesWith(MARKER, variables[MARKER]!);
    expect(await eventually(left, (pids) => pids.length === 0)).toEqual([]);
    await using next = await startServeProcess(variables);
    using connection = connect(next.url);
    const { turn } = await eventually(
      () => connection.client.getTurn({ turnId }),
      (found) => found.turn?.state !== TurnState.RUNNING,
    );
    expect(turn?.state).toBe(TurnState.LOST);

    async function stopTwice(): Promise<string> {
      await using server = await startServeProcess(variables);
      using connection = connect(server.url);
      const prompt = script("ignore", "hang");
      await using reader = new EventReader(connection.client.runTurn({ prompt }));
      const session = await reader.until("session");
      const since = performance.now();
      process.kill(server.pid, signal);
      const again = { prompt: "say no", sessionId: session.sessionId };
      const refusal = await eventually(
        () => refusalOf(connection.client.runTurn(again)),
        ({ reason }) => reason === "DRAINING",
      );
      expect(refusal.reason).toBe("DRAINING");
      // Those that come within a second are taken for the first one.
      const repeating = setInterval(() => process.kill(server.pid, signal), 200);
      const status = await server.end(signal).finally(() => clearInterval(repeating));
      expect(status).toBe(1);
      expect(performance.now() - since).toBeGreaterThan(900);
      return session.turnId;
    }
  },
);
