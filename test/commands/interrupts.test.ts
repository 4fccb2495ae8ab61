import type { HandlerContext } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { startCommand } from "./run-command.ts";
import { checkpoint, response, startServiceDouble, TURN_ID } from "./service-double.ts";

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}

async function* endless(_request: unknown, { signal }: HandlerContext) {
  yield checkpoint();
  yield response({ case: "text", value: { text: "working" } }, 1);
  await aborted(signal);
}

describe("Ctrl-C", () => {
  it("detaches once and leaves the turn alone", async () => {
    const canceled: string[] = [];
    await using service = await startServiceDouble({
      runTurn: endless,
      cancelTurn({ turnId }) {
        canceled.push(turnId);
        return {};
      },
    });
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toContain(`Attach again: breakglass attach ${TURN_ID} --after 1\n`);
    expect(stderr).toContain("within 2 s cancels");
    expect(canceled).toEqual([]);
  });

  it("cancels the turn the second time and tells how it ended", async () => {
    const canceled: string[] = [];
    await using service = await startServiceDouble({
      attachTurn: endless,
      cancelTurn({ turnId }) {
        canceled.push(turnId);
        return { turn: { turnId, state: TurnState.CANCELED } };
      },
    });
    const command = startCommand(["attach", "--url", service.url, TURN_ID]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    await command.printed("stderr", "Ctrl-C again");
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(canceled).toEqual([TURN_ID]);
    expect(stderr).toContain("The turn ended: canceled\n");
  });

  it("does not wait for the cancel the third time", async () => {
    const asked = Promise.withResolvers<void>();
    await using service = await startServiceDouble({
      runTurn: endless,
      async cancelTurn(_request, { signal }) {
        asked.resolve();
        await aborted(signal);
        return {};
      },
    });
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    await command.printed("stderr", "Ctrl-C again");
    command.process.kill("SIGINT");
    await asked.promise;
    command.process.kill("SIGINT");
    expect((await command.ended).status).toBe(130);
  });

  it("tells how to join a turn that the server had not confirmed", async () => {
    const asked = Promise.withResolvers<string>();
    await using service = await startServiceDouble({
      // biome-ignore lint/correctness/useYield: it stands for a server that answers nothing
      async *runTurn({ requestId }, { signal }) {
        asked.resolve(requestId);
        await aborted(signal);
      },
    });
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    const requestId = await asked.promise;
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toContain(`--request-id ${requestId} `);
  });
});
