import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import fc from "fast-check";
import { ChainCheck, ChainFault, type CheckedAgainst } from "../../src/audit/chain-check.ts";
import type { AuditEntry, AuditFacts } from "../../src/audit/entry.ts";
import { type AuditHead, rawKey, signHead } from "../../src/audit/head.ts";
import { type AuditLink, NO_HASH, type SealedRecord, seal } from "../../src/audit/record.ts";

/** A server's key, and somebody else's. */
export const [KEY, OTHER_KEY] = [newKey(), newKey()];
export const PUBLIC = rawKey(KEY);

function newKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}

/** Any entry: what is in it comes from outside. */
export const anyEntry: fc.Arbitrary<AuditEntry> = fc.record(
  {
    kind: fc.constantFrom("turn_started", "tools_called", "turn_ended", "session_deleted"),
    caller: fc.record({
      name: fc.string({ unit: "binary" }),
      means: fc.constantFrom("token", "local"),
      address: fc.string(),
    }),
    sessionId: fc.uuid(),
    turnId: fc.uuid(),
    facts: fc.dictionary(
      fc.stringMatching(/^[a-zA-Z0-9_]{1,20}$/).filter((name) => name !== "__proto__"),
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.maxSafeInteger(),
        fc.boolean(),
        fc.array(fc.string(), { maxLength: 3 }),
      ),
      { maxKeys: 4 },
    ) as fc.Arbitrary<AuditFacts>,
  },
  { requiredKeys: ["kind"] },
);

/** Entries as a chain of their own. */
export function chainOf(
  entries: readonly AuditEntry[],
  after: AuditLink = { chain: randomUUID(), sequence: 0, hash: NO_HASH },
): SealedRecord[] {
  let last = after;
  return entries.map((entry) => {
    const sealed = seal(entry, last, Date.UTC(2026, 10, 28) + last.sequence);
    last = sealed;
    return sealed;
  });
}

/** Heads of the records with these sequences. */
export function headsAt(chain: readonly SealedRecord[], sequences: readonly number[]): AuditHead[] {
  return sequences.map((sequence) => signHead(chain[sequence - 1]!, KEY));
}

/** What is wrong with lines. Undefined: nothing. */
export function faultOf(lines: readonly string[], against: CheckedAgainst): ChainFault | undefined {
  try {
    const check = new ChainCheck(against);
    for (const line of lines) check.take(line);
    check.end();
    return undefined;
  } catch (error) {
    if (error instanceof ChainFault) return error;
    throw error;
  }
}
