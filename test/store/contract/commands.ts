import { expect, it } from "vitest";
import { Refusal } from "../../../src/errors.ts";
import type { Command, CommandServer } from "../../../src/store/commands.ts";
import { callerNamed } from "../../support/caller.ts";
import { PRINCIPAL, turnStart } from "./recorded.ts";
import type { OpenStore } from "./store-under-test.ts";

/** What is asked of the server that runs a turn. */
export function describeCommands(open: OpenStore): void {
  it("brings a command to the server that runs its turn, and the answer back", async () => {
    await using opened = await open();
    const { commands } = opened.store;
    const { turnId } = (await opened.store.createTurn(turnStart())).turn;
    const command: Command = {
      turnId,
      caller: callerNamed("bob"),
      ask: { case: "steer", message: "look there", requestId: "" },
    };
    const [idle, running] = [new ServerUnderTest([]), new ServerUnderTest([turnId])];
    const stops = [idle, running].map((server) => commands.serve(server));
    expect(await commands.send(command)).toBe(7);
    const cancel: Command = { turnId, caller: callerNamed(PRINCIPAL), ask: { case: "cancel" } };
    await commands.send(cancel);
    expect(running.performed).toEqual([command, cancel]);
    const refusal = new Refusal("APPROVAL_RESOLVED", "bob did", { metadata: { principal: "bob" } });
    running.refusal = refusal;
    await expect(commands.send(command)).rejects.toMatchObject({
      reason: "APPROVAL_RESOLVED",
      message: "bob did",
      details: { metadata: { principal: "bob" } },
    });
    expect(idle.performed).toEqual([]);
    for (const stop of [...stops, ...stops]) stop();
    await expect(commands.send(cancel)).rejects.toMatchObject({ reason: "FENCED" });
  });

  it("has nobody do what is asked of a turn that no server runs", async () => {
    await using opened = await open();
    const { turnId } = (await opened.store.createTurn(turnStart())).turn;
    const { commands } = await opened.reopen();
    const idle = new ServerUnderTest([]);
    commands.serve(idle);
    const command: Command = { turnId, caller: callerNamed(PRINCIPAL), ask: { case: "interrupt" } };
    await expect(commands.send(command)).rejects.toMatchObject({ reason: "FENCED" });
    expect(idle.performed).toEqual([]);
  });
}

/** A server that runs some turns. */
class ServerUnderTest implements CommandServer {
  readonly performed: Command[] = [];
  refusal: Refusal | undefined;
  readonly #turnIds: readonly string[];

  constructor(turnIds: readonly string[]) {
    this.#turnIds = turnIds;
  }

  runs(turnId: string): boolean {
    return this.#turnIds.includes(turnId);
  }

  async perform(command: Command): Promise<number> {
    if (this.refusal !== undefined) throw this.refusal;
    this.performed.push(command);
    return 7;
  }
}
