import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorReason, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
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

describe("Ctrl-C in attach", () => {
  it("detaches once and leaves the turn alone", async () => {
    const canceled: string[] = [];
    await using service = await startServiceDouble({
      attachTurn: endless,
      cancelTurn({ turnId }) {
        canceled.push(turnId);
        return {};
      },
    });
    const command = startCommand(["attach", "--url", service.url, TURN_ID]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toContain(
      `Attach again: breakglass attach --url ${service.url} ${TURN_ID} --after 1\n`,
    );
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
      attachTurn: endless,
      async cancelTurn(_request, { signal }) {
        asked.resolve();
        await aborted(signal);
        return {};
      },
    });
    const command = startCommand(["attach", "--url", service.url, TURN_ID]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    await command.printed("stderr", "Ctrl-C again");
    command.process.kill("SIGINT");
    await asked.promise;
    command.process.kill("SIGINT");
    expect((await command.ended).status).toBe(130);
  });
});

/** A service whose turn ends when it is stopped in one of some ways; the others are answered by nothing. */
async function startStoppableService(obeys: "interrupt" | "cancel" | "nothing") {
  const asked: string[] = [];
  const stopped = Promise.withResolvers<void>();
  const stop = async (way: "interrupt" | "cancel", turnId: string, signal: AbortSignal) => {
    asked.push(`${way} ${turnId}`);
    if (obeys === way) stopped.resolve();
    else if (way === "interrupt") throw new ConnectError("goes on", Code.Aborted);
    else await aborted(signal);
    return { turn: { turnId, state: TurnState.CANCELED } };
  };
  const service = await startServiceDouble({
    async *runTurn(_request: unknown, { signal }: HandlerContext) {
      yield checkpoint();
      yield response({ case: "text", value: { text: "working" } }, 1);
      await Promise.race([stopped.promise, aborted(signal)]);
      yield response({ case: "text", value: { text: "last words" } }, 2);
      yield response({ case: "error", value: { reason: ErrorReason.CANCELED } }, 3);
    },
    interruptTurn: ({ turnId }, { signal }) => stop("interrupt", turnId, signal),
    cancelTurn: ({ turnId }, { signal }) => stop("cancel", turnId, signal),
  });
  return Object.assign(service, { asked });
}

describe("Ctrl-C in run", () => {
  it("interrupts the turn and prints its last words and how it ended", async () => {
    await using service = await startStoppableService("interrupt");
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    const { status, stdout, stderr } = await command.ended;
    expect(status).toBe(1);
    expect(service.asked).toEqual([`interrupt ${TURN_ID}`]);
    expect(stdout).toContain("last words\nEnded by CANCELED");
    expect(stderr).toContain("Interrupting the turn… Ctrl-C again cancels it");
  });

  it("says that an agent did not obey, goes on, and cancels the second time", async () => {
    await using service = await startStoppableService("cancel");
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    await command.printed("stderr", "It did not help (ABORTED: goes on)");
    command.process.kill("SIGINT");
    expect((await command.ended).status).toBe(1);
    expect(service.asked).toEqual([`interrupt ${TURN_ID}`, `cancel ${TURN_ID}`]);
  });

  it("leaves the third time and tells how to attach", async () => {
    await using service = await startStoppableService("nothing");
    const command = startCommand(["run", "--url", service.url, "repair it"]);
    await command.printed("stdout", "working");
    command.process.kill("SIGINT");
    await command.printed("stderr", "It did not help");
    command.process.kill("SIGINT");
    await command.printed("stderr", "Canceling the turn");
    command.process.kill("SIGINT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toContain("the server goes on with the cancel. Attach again: breakglass attach");
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

describe("Ctrl-\\", () => {
  it.each([["run"], ["attach"]])("in %s leaves the turn alone", async (name) => {
    const asked: string[] = [];
    const stop = ({ turnId }: { turnId: string }) => {
      asked.push(turnId);
      return {};
    };
    await using service = await startServiceDouble({
      runTurn: endless,
      attachTurn: endless,
      cancelTurn: stop,
      interruptTurn: stop,
    });
    const command = startCommand([name, "--url", service.url, TURN_ID]);
    await command.printed("stdout", "working");
    command.process.kill("SIGQUIT");
    const { status, stderr } = await command.ended;
    expect(status).toBe(130);
    expect(stderr).toContain("Detached; the turn goes on. Attach again: ");
    expect(asked).toEqual([]);
  });
});
