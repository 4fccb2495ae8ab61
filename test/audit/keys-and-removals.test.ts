import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { canonical } from "../../src/audit/canonical.ts";
import { ChainCheck, type CheckedAgainst } from "../../src/audit/chain-check.ts";
import type { AuditEntry } from "../../src/audit/entry.ts";
import { type AuditHead, rawKey, signHead, signRemoval } from "../../src/audit/head.ts";
import type { SealedRecord } from "../../src/audit/record.ts";
import { chainOf, faultOf, KEY, OTHER_KEY, PUBLIC } from "./chains.ts";

const [FIRST, SECOND] = [PUBLIC, rawKey(OTHER_KEY)];
const THIRD_KEY = generateKeyPairSync("ed25519").privateKey;
const THIRD = rawKey(THIRD_KEY);

const turn: AuditEntry = { kind: "turn_ended" };
const started = (key: string): AuditEntry => ({ kind: "server_started", facts: { key } });
const removed = (last: SealedRecord, key: KeyObject): AuditEntry => ({
  kind: "records_removed",
  facts: { removal: { ...signRemoval(last, key) } },
});
const linesOf = (chain: readonly SealedRecord[]) => chain.map(({ line }) => line);

/** A head as servers signed it before. */
function oldHead({ chain, sequence, hash }: SealedRecord, key = KEY): AuditHead {
  const body = {
    ...{ version: 1, kind: "head" as const, chain, sequence, hash },
    ...{ time: "2026-11-28T00:00:00.000Z", key: rawKey(key) },
  };
  return { ...body, signature: sign(null, Buffer.from(canonical(body)), key).toString("base64") };
}

const oldRemoved = (last: SealedRecord): AuditEntry => ({
  kind: "records_removed",
  facts: { head: { ...oldHead(last) } },
});

/** What is found, or the message of what is wrong. */
function judged(lines: readonly string[], against: CheckedAgainst) {
  const fault = faultOf(lines, against);
  if (fault !== undefined) return fault.message;
  const check = new ChainCheck(against);
  for (const line of lines) check.take(line);
  return check.end().removal;
}

describe("a removal as servers before wrote it", () => {
  const old = chainOf([turn, turn, turn, turn]);
  const said = chainOf([oldRemoved(old[1]!), turn], old.at(-1)!);
  const lines = linesOf([...old.slice(2), ...said]);

  it("counts with a key where a kept head vouches for the record that says it, and is told for what it is", () => {
    expect(judged(lines, {})).toBe("head");
    expect(judged(lines, { keys: [FIRST] })).toContain("has only a head to show for that");
    const heads = (at: number) => [oldHead([...old, ...said][at - 1]!)];
    expect(judged(lines, { keys: [FIRST], heads: heads(4) })).toContain("has only a head");
    expect(judged(lines, { keys: [FIRST], heads: heads(5) })).toBe("head");
    const newer = chainOf([started(FIRST), turn], said.at(-1)!);
    const longer = [...lines, ...linesOf(newer)];
    expect(judged(longer, { keys: [FIRST], heads: heads(6) })).toBe("head");
  });

  it("does not count where a server that signs removals has written before", () => {
    const chain = chainOf([turn, turn, started(FIRST)]);
    const forged = chainOf([oldRemoved(chain[0]!), turn], chain.at(-1)!);
    const all = [...chain, ...forged];
    const against = { keys: [FIRST], heads: [signHead(all.at(-1)!, KEY)] };
    expect(judged(linesOf(all.slice(1)), against)).toContain("no removal that was signed");
    expect(judged(linesOf(all.slice(1)), {})).toContain("no removal that was signed");
  });
});

describe("a chain whose key was changed", () => {
  const begin = chainOf([started(FIRST), turn, turn, turn]);
  const middle = chainOf([removed(begin[1]!, KEY), turn, started(SECOND), turn], begin.at(-1)!);
  const all = [...begin, ...middle, ...chainOf([turn, turn], middle.at(-1)!)];
  const lines = linesOf(all.slice(2));
  const keys = [FIRST, SECOND];

  it("is right with all its keys, the oldest first, and with none else", () => {
    const heads = [signHead(all[5]!, KEY), signHead(all[8]!, OTHER_KEY)];
    expect(judged(lines, { keys, heads })).toBe("removal");
    // The newer key may vouch for what was there when it came.
    expect(judged(lines, { keys, heads: [signHead(all[5]!, OTHER_KEY)] })).toBe("removal");
    for (const others of [[FIRST], [SECOND], [SECOND, FIRST], [FIRST, THIRD], [...keys, THIRD]]) {
      expect(judged(lines, { keys: others, heads })).toMatch(/key/);
    }
  });

  it("is right with the newer alone where the older vouched for nothing that is there", () => {
    const whole = chainOf([started(FIRST), turn, started(SECOND), turn]);
    const heads = [signHead(whole[3]!, OTHER_KEY)];
    expect(judged(linesOf(whole), { keys: [SECOND], heads })).toBeUndefined();
    expect(judged(linesOf(whole), { keys: [FIRST] })).toContain("not among those given");
  });

  it("shows what the older key signed after it was changed", () => {
    const late = [signHead(all[6]!, KEY)];
    expect(judged(lines, { keys, heads: late })).toContain("another one had followed");
    const forged = chainOf([removed(all[4]!, KEY)], all.at(-1)!);
    const cut = linesOf([...all.slice(5), ...forged]);
    expect(judged(cut, { keys })).toContain("another one had followed");
    // Cut so that nothing is left that names the newer one.
    const further = chainOf([removed(all[7]!, KEY)], all.at(-1)!);
    expect(judged(linesOf([...all.slice(8), ...further]), { keys })).toMatch(/key/);
  });

  it("goes back to an older key where that is given again, and has a key from its removals too", () => {
    const back = chainOf([started(FIRST), turn], all.at(-1)!);
    const longer = [...lines, ...linesOf(back)];
    expect(judged(longer, { keys })).toContain("another one has followed");
    expect(judged(longer, { keys: [...keys, FIRST] })).toBe("removal");
    const cut = chainOf([removed(all[7]!, OTHER_KEY)], all.at(-1)!);
    const left = linesOf([...all.slice(8), ...cut]);
    expect(judged(left, { keys })).toBe("removal");
    expect(judged(left, { keys: [FIRST] })).toContain("not signed by the key");
  });
});

it("a removal is no head, and is kept from being one", () => {
  const chain = chainOf([turn, turn]);
  const removal = signRemoval(
    chain[1]!,
    createPrivateKey(KEY.export({ type: "pkcs8", format: "pem" })),
  );
  const head = { ...removal, kind: "head" } as unknown as AuditHead;
  expect(judged(linesOf(chain), { keys: [FIRST], heads: [head] })).toContain("not signed by");
});
