import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type TurnPlace, TurnPlaces } from "../../src/turns/turn-places.ts";

/** Places, and a clock that a test sets. */
function placesOf(maxConcurrentTurns: number, maxPrincipalTurns = 0) {
  const time = { now: 0 };
  const places = new TurnPlaces({ maxConcurrentTurns, maxPrincipalTurns }, () => time.now);
  const held: Record<string, TurnPlace[]> = {};
  return {
    time,
    /** Asks once; answers how long to wait, or undefined where a place was given. */
    ask(principal: string): number | undefined {
      const refusal = places.refusal(principal);
      if (refusal !== undefined) return refusal.details?.retryAfterMs;
      held[principal] = [...(held[principal] ?? []), places.take(principal)];
      return undefined;
    },
    free: (principal: string) => held[principal]?.shift()?.free(true),
    count: (principal: string) => held[principal]?.length ?? 0,
    refusal: (principal: string) => places.refusal(principal),
  };
}

describe("the places of turns", () => {
  it("are all one principal's where nobody else asks, and no more", () => {
    const it_ = placesOf(3);
    for (let n = 0; n < 3; n++) expect(it_.ask("a")).toBeUndefined();
    expect(it_.refusal("a")).toMatchObject({
      reason: "TOO_MANY_TURNS",
      message: "3 turns are running, the server's limit",
    });
  });

  it("go to who was refused and has fewer running, however often another asks meanwhile", () => {
    const it_ = placesOf(3);
    for (let n = 0; n < 4; n++) it_.ask("greedy");
    expect(it_.ask("honest")).toBeGreaterThan(0);
    it_.free("greedy");
    for (let n = 0; n < 1000; n++) expect(it_.ask("greedy")).toBeGreaterThan(0);
    expect(it_.refusal("greedy")?.message).toMatch(/\(1\) are kept for others.*\(yours: 2\)/);
    expect(it_.ask("honest")).toBeUndefined();
  });

  it("go in the order of the first refusals to those with as many running", () => {
    const it_ = placesOf(1);
    it_.ask("a");
    for (const name of ["b", "c"]) {
      it_.time.now++;
      it_.ask(name);
    }
    it_.time.now++;
    it_.ask("b");
    it_.free("a");
    expect(it_.ask("c")).toBeGreaterThan(0);
    expect(it_.ask("d")).toBeGreaterThan(0);
    expect(it_.ask("b")).toBeUndefined();
    it_.free("b");
    expect(it_.ask("d")).toBeGreaterThan(0);
    expect(it_.ask("c")).toBeUndefined();
  });

  it("are not kept for who does not come back, and are for who does as late as a client may", () => {
    const it_ = placesOf(1);
    it_.ask("a");
    const wait = it_.ask("b")!;
    it_.free("a");
    it_.time.now += Math.max(wait, 10_000) + 4000;
    expect(it_.ask("a")).toBeGreaterThan(0);
    it_.time.now += 1001;
    expect(it_.ask("c")).toBeGreaterThan(0); // Behind a, who has asked since.
    expect(it_.ask("a")).toBeUndefined();
  });

  it("are given up as often as one likes, and count once", () => {
    const places = new TurnPlaces({ maxConcurrentTurns: 1, maxPrincipalTurns: 0 });
    const place = places.take("a");
    place.free(true);
    place.free(true);
    places.take("a");
    expect(places.refusal("a")).toBeDefined();
  });

  it("of one principal are bounded, and nobody waits behind who is at that bound", () => {
    const it_ = placesOf(3, 2);
    it_.ask("a");
    it_.ask("a");
    expect(it_.ask("a")).toBeGreaterThan(0);
    expect(it_.refusal("a")?.message).toMatch(/^2 of your turns .*BREAKGLASS_MAX_PRINCIPAL_TURNS/);
    expect(it_.ask("b")).toBeUndefined();
  });

  it("are to be asked for again when they can be expected, between 1 and 10 s", () => {
    const it_ = placesOf(4);
    for (let n = 0; n < 4; n++) it_.ask("a");
    expect(it_.ask("b")).toBe(1000);
    it_.time.now += 8000; // Held for 8 s, and on for as long: one of four in 4 s.
    expect(it_.ask("b")).toBe(4000);
    expect(it_.ask("c")).toBe(8000);
    it_.time.now += 600_000;
    expect(it_.ask("b")).toBe(10_000);
  });
});

describe("whoever comes back when told", () => {
  it("gets a place within a few turns, whatever others do", () => {
    const greedy = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 });
    const lasting = fc.integer({ min: 100, max: 20_000 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), greedy, lasting, (count, floods, turnMs) => {
        const it_ = placesOf(count);
        const ends: { at: number; name: string }[] = [];
        const ask = (name: string) => {
          const wait = it_.ask(name);
          if (wait === undefined) ends.push({ at: it_.time.now + turnMs, name });
          return wait;
        };
        let honestAt: number | undefined = 1000;
        for (; honestAt !== undefined && it_.time.now < 500_000; it_.time.now += 50) {
          const over = ends.filter(({ at }) => at <= it_.time.now);
          for (const end of over) {
            it_.free(end.name);
            ends.splice(ends.indexOf(end), 1);
          }
          for (const [n, asks] of floods.entries()) {
            for (let i = 0; i < asks; i++) ask(`greedy ${n}`);
          }
          if (it_.time.now < honestAt) continue;
          const wait = ask("honest");
          honestAt = wait === undefined ? undefined : it_.time.now + wait;
        }
        expect(honestAt).toBeUndefined();
        // Its turn comes once each of the others that had none has had one, and each comes back within 10 s.
        expect(it_.time.now).toBeLessThan(1000 + (floods.length + 1) * (turnMs + 10_000));
      }),
      { numRuns: 200 },
    );
  });
});
