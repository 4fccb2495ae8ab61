import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { type AuditStatement, signHead, signRemoval } from "../../src/audit/head.ts";
import { type AuditLink, NO_HASH, readLine, type SealedRecord } from "../../src/audit/record.ts";
import { anyEntry, chainOf, faultOf, headsAt, KEY, OTHER_KEY, PUBLIC } from "./chains.ts";

interface Case {
  readonly chain: readonly SealedRecord[];
  readonly other: readonly SealedRecord[];
  /** The sequences that heads were signed for: the last of them is the chain's last. */
  readonly signed: readonly number[];
}

/** A number to choose by. */
type Choose = (below: number) => number;

const anyCase: fc.Arbitrary<Case> = fc
  .tuple(
    fc.array(anyEntry, { minLength: 3, maxLength: 12 }),
    fc.array(anyEntry, { minLength: 1, maxLength: 12 }),
    fc.array(fc.nat(11), { maxLength: 3 }),
  )
  .map(([entries, others, places]) => {
    const signed = places.map((place) => (place % entries.length) + 1);
    return { chain: chainOf(entries), other: chainOf(others), signed: [...signed, entries.length] };
  });

const linesOf = (chain: readonly SealedRecord[]) => chain.map(({ line }) => line);

function entryOf({ line }: SealedRecord): AuditEntry {
  const { kind, who, session_id: sessionId, turn_id: turnId, facts } = readLine(line);
  return { kind, caller: who, sessionId, turnId, facts } as AuditEntry;
}

/** A record's entry, with something else in it. */
function changedEntry(record: SealedRecord, choose: Choose): AuditEntry {
  const entry = entryOf(record);
  const changes: Partial<AuditEntry>[] = [
    { kind: entry.kind === "turn_ended" ? "turn_started" : "turn_ended" },
    { caller: { name: `${entry.caller?.name ?? ""}x`, means: "token", address: "" } },
    { sessionId: `${entry.sessionId ?? ""}0` },
    { turnId: `${entry.turnId ?? ""}0` },
    { facts: { ...entry.facts, added: "by somebody" } },
  ];
  return { ...entry, ...changes[choose(changes.length)] };
}

/** What the record at a place follows. */
function before(chain: readonly SealedRecord[], at: number): AuditLink {
  return chain[at - 1] ?? { chain: chain[0]!.chain, sequence: 0, hash: NO_HASH };
}

/** What is left of a chain, and a record that says what was removed before it, by either of the names that it had. */
function cutAndSaid(
  kept: readonly SealedRecord[],
  statement: AuditStatement,
  choose: Choose,
): string[] {
  const facts = { [choose(2) === 0 ? "removal" : "head"]: { ...statement } };
  return linesOf([...kept, ...chainOf([{ kind: "records_removed", facts }], kept.at(-1)!)]);
}

/** What somebody does who can write to the store, has all that was ever handed out, and has no key. */
const MUTATIONS: Readonly<Record<string, (given: Case, choose: Choose) => string[]>> = {
  "changes a bit": ({ chain }, choose) => {
    const lines = linesOf(chain);
    const at = choose(lines.length);
    const bytes = Buffer.from(lines[at]!);
    bytes[choose(bytes.length)]! ^= 1 << choose(8);
    return lines.with(at, bytes.toString("latin1"));
  },
  "changes what a record says, and its hash": ({ chain }, choose) => {
    const at = choose(chain.length);
    const [changed] = chainOf([changedEntry(chain[at]!, choose)], before(chain, at));
    return linesOf(chain).with(at, changed!.line);
  },
  "writes a record in another way": ({ chain }, choose) => {
    const at = choose(chain.length);
    const spaced = JSON.stringify(JSON.parse(chain[at]!.line), undefined, 1).replaceAll("\n", "");
    return linesOf(chain).with(at, spaced);
  },
  "drops some": ({ chain }, choose) => {
    const from = choose(chain.length);
    return linesOf(chain).toSpliced(from, 1 + choose(chain.length - from));
  },
  "swaps two": ({ chain }, choose) => {
    const lines = linesOf(chain);
    const one = choose(lines.length);
    const other = (one + 1 + choose(lines.length - 1)) % lines.length;
    return lines.with(one, lines[other]!).with(other, lines[one]!);
  },
  "puts one there twice": ({ chain }, choose) => {
    const lines = linesOf(chain);
    return lines.toSpliced(choose(lines.length + 1), 0, lines[choose(lines.length)]!);
  },
  "puts another chain's between": ({ chain, other }, choose) => {
    const lines = linesOf(chain);
    return lines.toSpliced(choose(lines.length + 1), 0, other[choose(other.length)]!.line);
  },
  "puts one of its own between": ({ chain }, choose) => {
    const at = choose(chain.length - 1);
    const [added] = chainOf([{ kind: "turn_ended" }], chain[at]!);
    return linesOf(chain).toSpliced(at + 1, 0, added!.line);
  },
  "cuts the end off": ({ chain }, choose) => linesOf(chain.slice(0, choose(chain.length))),
  "cuts the beginning off": ({ chain }, choose) =>
    linesOf(chain.slice(1 + choose(chain.length - 1))),
  "joins two chains": ({ chain, other }, choose) => [
    ...linesOf(chain.slice(0, choose(chain.length))),
    ...linesOf(other.slice(choose(other.length))),
  ],
  "puts another chain in its place": ({ other }) => linesOf(other),
  "makes all that follows a change fit": ({ chain }, choose) => {
    const at = choose(chain.length);
    const rest = [changedEntry(chain[at]!, choose), ...chain.slice(at + 1).map(entryOf)];
    return linesOf([...chain.slice(0, at), ...chainOf(rest, before(chain, at))]);
  },
  "cuts the beginning off and says that it was removed": ({ chain }, choose) => {
    const kept = chain.slice(1 + choose(chain.length - 1));
    return cutAndSaid(kept, signRemoval(before(chain, kept[0]!.sequence - 1), OTHER_KEY), choose);
  },
  "cuts the beginning off and shows a head that was handed out": ({ chain }, choose) => {
    const kept = chain.slice(1 + choose(chain.length - 1));
    return cutAndSaid(kept, signHead(before(chain, kept[0]!.sequence - 1), KEY), choose);
  },
  "cuts the beginning off and shows a head as what it is not": ({ chain }, choose) => {
    const kept = chain.slice(1 + choose(chain.length - 1));
    const head = signHead(before(chain, kept[0]!.sequence - 1), KEY);
    const changed = [{ kind: "removal" }, { version: 1 }, { kind: "removal", version: 1 }];
    return cutAndSaid(kept, { ...head, ...changed[choose(3)] } as AuditStatement, choose);
  },
  "cuts more off than a real removal says": ({ chain }, choose) => {
    const from = 2 + choose(chain.length - 2);
    return cutAndSaid(chain.slice(from), signRemoval(chain[choose(from - 1)]!, KEY), choose);
  },
  "cuts the beginning off and shows a real removal of another chain": (given, choose) => {
    const { chain, other } = given;
    const kept = chain.slice(1 + choose(chain.length - 1));
    return cutAndSaid(kept, signRemoval(other[choose(other.length)]!, KEY), choose);
  },
  "cuts the beginning off and has a real removal say another place": ({ chain }, choose) => {
    const { sequence, hash } = chain[choose(chain.length - 1)]!;
    const real = signRemoval(chain.at(-1)!, KEY);
    return cutAndSaid(chain.slice(sequence), { ...real, sequence, hash }, choose);
  },
};

describe("a chain, against heads that were kept elsewhere", () => {
  it.each(Object.entries(MUTATIONS))("shows that somebody %s", (_what, mutate) => {
    const property = fc.property(anyCase, fc.infiniteStream(fc.nat()), (given, numbers) => {
      const choose: Choose = (below) => Number(numbers.next().value) % below;
      const against = { heads: headsAt(given.chain, given.signed), keys: [PUBLIC] };
      const lines = mutate(given, choose);
      const original = linesOf(given.chain);
      expect(faultOf(original, against)).toBeUndefined();
      const fault = faultOf(lines, against);
      expect(fault).toBeDefined();
      // Nothing before the first wrong one is taken for it, where the chain shows it by itself.
      const isKnownByHead = fault!.message.includes("or one from");
      const first = lines.findIndex((line, index) => line !== original[index]);
      const isOfWhole = fault!.place === 0 || fault!.sequence === 1;
      if (!isOfWhole && !isKnownByHead && first >= 0) {
        expect(fault!.place).toBeGreaterThan(first);
      }
      if (isKnownByHead) expect(given.signed).toContain(fault!.sequence);
    });
    fc.assert(property, { numRuns: 150 });
  });

  it("does not show what was cut off behind the last of them", () => {
    const property = fc.property(anyCase, fc.nat(), ({ chain }, number) => {
      const kept = 1 + (number % chain.length);
      const heads = headsAt(chain, [kept]);
      expect(faultOf(linesOf(chain.slice(0, kept)), { heads, keys: [PUBLIC] })).toBeUndefined();
    });
    fc.assert(property);
  });

  it("is right from a record on before which the server says it removed the others", () => {
    const property = fc.property(anyCase, fc.nat(), ({ chain, signed }, number) => {
      const kept = chain.slice(1 + (number % (chain.length - 1)));
      const removal = { ...signRemoval(before(chain, kept[0]!.sequence - 1), KEY) };
      const said = chainOf([{ kind: "records_removed", facts: { removal } }], kept.at(-1)!);
      const against = { heads: headsAt(chain, signed), keys: [PUBLIC] };
      expect(faultOf(linesOf([...kept, ...said]), against)).toBeUndefined();
      // Said by nobody, it is missing.
      expect(faultOf(linesOf(kept), against)).toBeDefined();
    });
    fc.assert(property);
  });

  it("shows that two copies of a store both went on", () => {
    const common = chainOf([{ kind: "turn_started" }, { kind: "turn_ended" }]);
    const [one, other] = ["one", "other"].map((name) =>
      chainOf([{ kind: "tools_called", facts: { name } }], common.at(-1)!),
    );
    const heads = [one!, other!].map((last) => signHead(last[0]!, KEY));
    for (const last of [one!, other!]) {
      const fault = faultOf(linesOf([...common, ...last]), { heads, keys: [PUBLIC] });
      expect(fault).toMatchObject({ sequence: 3 });
    }
  });

  it("takes no head that another key signed", () => {
    const chain = chainOf([{ kind: "turn_started" }]);
    const heads = [signHead(chain[0]!, OTHER_KEY)];
    expect(faultOf(linesOf(chain), { heads, keys: [PUBLIC] })?.message).toContain("not signed by");
    expect(faultOf(linesOf(chain), { heads })).toBeUndefined();
  });
});
