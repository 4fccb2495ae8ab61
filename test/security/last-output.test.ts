import { expect, it } from "vitest";
import { ErrorReason } from "../../gen/breakglass/v1/event_pb.ts";
import { said, startLiveServer } from "../e2e/live-server.ts";
import { valuesOf } from "../support/events.ts";
import { script } from "../support/gate.ts";
import { eventually } from "../support/processes.ts";

// An agent's process that has exited, while something that it started keeps its output open.

it.each([
  ["lines", "echo x"],
  ["pieces of a line", "printf x"],
])(
  "a turn ends soon whose agent has exited and left behind what prints %s now and then",
  async (_what, print) => {
    await using live = await startLiveServer();
    const began = performance.now();
    const prompt = script(
      "say begun",
      `detachHolding for i in $(seq 200); do ${print}; sleep 0.2; done`,
      "exit 3",
    );
    const events = await live.run({ prompt });
    expect(valuesOf(events, "error")).toMatchObject([
      { reason: ErrorReason.AGENT_EXITED, exitCode: 3 },
    ]);
    expect(said(events)).toEqual(["begun"]);
    expect(performance.now() - began).toBeLessThan(15_000);
    const left = await eventually(live.server.processes, ({ length }) => length === 0);
    expect(left).toEqual([]);
  },
);
