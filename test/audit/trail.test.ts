import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { SignInCounts } from "../../src/audit/sign-in-counts.ts";
import { AuditTrail } from "../../src/audit/trail.ts";
import { isFenced, Refusal } from "../../src/errors.ts";
import { createLog } from "../../src/log.ts";

const entry = (name: string): AuditEntry => ({ kind: "tools_called", facts: { name } });

/** A trail whose store takes nothing while a test says why. */
function trailOn() {
  const taken: AuditEntry[] = [];
  const state: { refusal: Refusal | undefined; asked: number } = { refusal: undefined, asked: 0 };
  const record = async (entries: readonly AuditEntry[]) => {
    state.asked++;
    if (state.refusal !== undefined) throw state.refusal;
    taken.push(...entries);
  };
  return {
    trail: new AuditTrail(
      record,
      isFenced,
      createLog(() => {}),
    ),
    taken,
    state,
  };
}

describe("what happens to the server itself", () => {
  it("goes on record in its order when the store takes it, and how much had no room", async () => {
    const { trail, taken, state } = trailOn();
    state.refusal = new Refusal("STORAGE", "the disk is full");
    for (let n = 0; n < 1500; n++) trail.note(entry(String(n)));
    await trail.settled(10);
    state.refusal = undefined;
    await trail.settled(30_000);
    const names = taken.slice(0, 1000).map(({ facts }) => facts?.name);
    expect(names).toEqual(Array.from({ length: 1000 }, (_, n) => String(n)));
    expect(taken.slice(1000)).toEqual([{ kind: "entries_lost", facts: { count: 500 } }]);
  });

  it("is given up where another server has taken over", async () => {
    const { trail, taken, state } = trailOn();
    state.refusal = new Refusal("FENCED", "another has it");
    trail.note(entry("one"));
    await trail.settled(30_000);
    trail.note(entry("two"));
    expect(state.asked).toBe(1);
    expect(taken).toEqual([]);
  });
});

describe("refused requests", () => {
  it("make no more records than there are sources, and those are bounded", () => {
    const noted: AuditEntry[] = [];
    const refused = new SignInCounts((one) => void noted.push(one));
    for (let n = 0; n < 10_000; n++) refused.count("token", "unknown", `10.0.${n % 200}.1`);
    refused.tell();
    expect(noted.length).toBe(65);
    const count = noted.reduce((sum, { facts }) => sum + Number(facts?.count), 0);
    expect(count).toBe(10_000);
    expect(noted.at(-1)?.facts?.address).toBe("others");
    noted.length = 0;
    refused.count("token", "unknown", "10.0.0.1");
    refused.tell();
    refused.tell();
    expect(noted.map(({ facts }) => facts?.count)).toEqual([1]);
  });
});
