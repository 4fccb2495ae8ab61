import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTerminal } from "../../src/agent/agent.ts";
import { decodeEvent } from "../../src/turns/encoded-event.ts";
import { callerNamed } from "../support/caller.ts";
import { eventually } from "../support/processes.ts";
import type { DrivenRun } from "./driven-agent.ts";
import { PRINCIPAL, pass, REQUEST, request, result, text } from "./driven-turns.ts";
import { pullSubscription } from "./pulled-subscription.ts";
import { type DrivenServer, startTwoServers, TERMS, type TwoServers } from "./two-servers.ts";

/** Renewed all the time, so that one is missed and another taken for gone within a run. */
const HASTY = { ...TERMS, renewMs: 1, leaseMs: 4 };

/** One thing that happens to two servers, or to what they run; numbers are taken modulo what there is. */
type Step =
  | { readonly do: "prompt"; readonly server: number; readonly session: number }
  | { readonly do: "say" | "ask" | "finish"; readonly turn: number }
  | { readonly do: "read" | "cancel" | "steer"; readonly server: number; readonly turn: number }
  | { readonly do: "cut" | "mend" | "restart"; readonly server: number }
  | { readonly do: "leasesRunOut" | "pass" };

const server = fc.nat(1);
const turn = fc.nat(5);
const anySteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("prompt"), server, session: fc.nat(2) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constantFrom("say", "say", "ask", "finish"), turn }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constantFrom("read", "read", "cancel", "steer"),
        server,
        turn,
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constantFrom("cut", "cut", "mend", "restart"), server }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("leasesRunOut", "pass", "pass") }) },
  ),
  { minLength: 15, maxLength: 40, size: "max" },
);

/** A turn that was asked for: it may never have been recorded. */
interface Asked {
  readonly prompt: string;
  turnId: string | undefined;
}

/** Two servers, what was asked of them, and what their readers were shown. */
class ServersUnderTest {
  readonly faults: string[] = [];
  readonly #servers: TwoServers;
  #now: DrivenServer[];
  readonly #all: DrivenServer[];
  readonly #sessions = [randomUUID(), randomUUID(), ""];
  readonly #asked: Asked[] = [];
  /** By turn and sequence. */
  readonly #shown = new Map<string, string>();
  readonly #over = new AbortController();

  constructor(servers: TwoServers) {
    this.#servers = servers;
    this.#now = [servers.one, servers.other];
    this.#all = [...this.#now];
  }

  async perform(step: Step): Promise<void> {
    if ("server" in step) await this.#performAt(step, this.#now[step.server]!);
    else if ("turn" in step) {
      for (const run of this.#runsOf(step.turn)) {
        run.give([step.do === "say" ? text() : step.do === "ask" ? request("a") : result()]);
        if (step.do === "finish") run.leave();
      }
    } else if (step.do === "leasesRunOut") this.#servers.passLeases(HASTY.leaseMs + 1);
    await (step.do === "pass" ? this.#passALease() : pass());
  }

  /** So long that whoever is there can take others for gone. */
  async #passALease(): Promise<void> {
    const from = performance.now();
    while (performance.now() - from < HASTY.leaseMs) await pass();
  }

  async #performAt(step: Extract<Step, { server: number }>, at: DrivenServer): Promise<void> {
    if (step.do === "cut" || step.do === "mend") at[step.do]();
    else if (step.do === "restart") await this.#restart(at);
    else if (step.do === "prompt") this.#prompt(at, this.#sessions[step.session]!);
    else if ("turn" in step) {
      const { turnId } = this.#turn(step.turn) ?? {};
      if (turnId === undefined) return;
      const steer = { turnId, message: "m", requestId: randomUUID() };
      if (step.do === "read") void this.#read(at, turnId).catch(() => {});
      else if (step.do === "cancel")
        void at.turns.cancel(turnId, callerNamed(PRINCIPAL)).catch(() => {});
      else void at.turns.steer(steer, callerNamed(PRINCIPAL)).catch(() => {});
    }
  }

  /** Whatever was cut is there again, and every server starts anew: all turns end. */
  async end(): Promise<void> {
    for (const each of this.#all) each.mend();
    for (const each of [...this.#now]) await this.#restart(each);
    for (const { turnId } of this.#asked) if (turnId !== undefined) await this.#checkEnd(turnId);
    for (const each of this.#all) {
      for (const { prompt } of this.#asked) {
        const run = each.agent.runOf(prompt);
        if (run.turn !== undefined && !(await isOver(run))) this.faults.push("an agent goes on");
      }
    }
    this.#over.abort();
  }

  async #checkEnd(turnId: string): Promise<void> {
    const [one, other] = this.#now;
    const isEnded = async ({ turns }: DrivenServer) =>
      eventually(
        () => turns.getTurn(turnId, callerNamed(PRINCIPAL)),
        ({ endTime }) => endTime !== undefined,
      );
    const [record, same] = [await isEnded(one!), await isEnded(other!)];
    if (record.endTime === undefined) this.faults.push("a turn has no end");
    expect(same).toEqual(record);
    const stored = await one!.store.readEvents(turnId, 0, Infinity);
    const log = stored.map(decodeEvent);
    const sequences = log.map(({ sequence }) => sequence);
    expect(sequences).toEqual(Array.from({ length: record.lastSequence }, (_, n) => n + 1));
    expect(log.map(({ kind }) => isTerminal(kind)).indexOf(true)).toBe(log.length - 1);
    for (const [index, event] of stored.entries()) {
      const shown = this.#shown.get(`${turnId} ${index + 1}`);
      if (shown !== undefined) expect(Buffer.from(event).toString("hex")).toBe(shown);
      this.#shown.delete(`${turnId} ${index + 1}`);
    }
    const others = [...this.#shown.keys()].filter((key) => key.startsWith(turnId));
    if (others.length > 0) this.faults.push("what was shown is on no record");
  }

  #prompt({ turns }: DrivenServer, sessionId: string): void {
    const asked: Asked = { prompt: randomUUID(), turnId: undefined };
    this.#asked.push(asked);
    const record = turns.run(
      { ...REQUEST, sessionId, prompt: asked.prompt },
      callerNamed(PRINCIPAL),
    );
    record.then(
      ({ turnId }) => {
        asked.turnId = turnId;
      },
      () => {},
    );
  }

  async #read({ turns }: DrivenServer, turnId: string): Promise<void> {
    const from = { afterSequence: 0, textDeltas: false };
    const open = () => turns.subscribe(turnId, from, callerNamed(PRINCIPAL), this.#over.signal);
    let last = 0;
    for await (const piece of pullSubscription(open)) {
      if (!("encoded" in piece)) continue;
      const [encoded] = piece.encoded;
      const { sequence } = decodeEvent(encoded!);
      if (sequence !== ++last) this.faults.push("a reader was shown a gap");
      this.#shown.set(`${turnId} ${sequence}`, Buffer.from(encoded!).toString("hex"));
    }
  }

  async #restart(before: DrivenServer): Promise<void> {
    const again = await this.#servers.restart(before.name);
    this.#all.push(again);
    this.#now = this.#now.map((each) => (each === before ? again : each));
  }

  #turn(which: number): Asked | undefined {
    return this.#asked[which % (this.#asked.length || 1)];
  }

  /** As it runs, or ran, wherever. */
  #runsOf(which: number): DrivenRun[] {
    const asked = this.#turn(which);
    if (asked === undefined) return [];
    return this.#all.map(({ agent }) => agent.runOf(asked.prompt)).filter(({ turn: t }) => t);
  }
}

function isOver(run: DrivenRun): Promise<boolean> {
  return eventually(
    () => run.isOver,
    (is) => is,
  );
}

describe("turns on two servers that are cut off, fenced and started again at any moment", () => {
  it("end once, without a gap, and are shown as they are on record", async () => {
    await fc.assert(
      fc.asyncProperty(anySteps, async (steps) => {
        await using servers = await startTwoServers({}, HASTY);
        const tested = new ServersUnderTest(servers);
        for (const step of steps) await tested.perform(step);
        await tested.end();
        expect(tested.faults).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
