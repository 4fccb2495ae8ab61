import type { LeaseTerms } from "../../src/store/lease.ts";
import type { Store } from "../../src/store/store.ts";
import type { LeaseConsequences } from "../../src/turns/lease-keeper.ts";

/** What is made wrong on purpose, for a simulation to find. Left out: nothing. */
export interface Mutation {
  /** Changes the statements that are asked of the database. */
  sql?(text: string): string;
  /** Changes what is asked of a replica's store. */
  store?(store: Store): Store;
  /** Changes what follows from how its lease stands. */
  consequences?(consequences: LeaseConsequences): LeaseConsequences;
  /** Others than what holds. */
  readonly terms?: Partial<LeaseTerms>;
  /** Whether commits wait for a standby. */
  readonly isSynchronous?: boolean;
  /** Whether the database's warnings are heard of. */
  readonly hearsWarnings?: boolean;
}

const replaced = (from: string | RegExp, to: string) => (text: string) => text.replaceAll(from, to);

const FENCED_ROW = /(WHERE incarnation = \$1) AND NOT fenced/g;
const FENCE = /UPDATE replicas SET fenced = true WHERE replica_id = \$1 AND NOT fenced AND/g;

/**
 * Each invariant, and what becomes of the code without it. Three are not among them, for
 * nothing was found in 200 seeds without them: that a commit's connection is ended before it is asked about, that what is found
 * of it is the same event, and that the last sequence is read behind the fence. By reading, something else holds each too: the
 * lock of the writer's row, the question for the incarnation, and the order of sequences that an append is held to.
 */
export const MUTATIONS: ReadonlyMap<string, Mutation> = new Map<string, Mutation>([
  [
    "a restart leaves its former incarnations as they are",
    {
      sql: (text) =>
        text === "UPDATE replicas SET fenced = true WHERE replica_id = $1 AND NOT fenced"
          ? `${text} AND false`
          : text,
    },
  ],
  [
    "a write does not look whether its incarnation is fenced",
    { sql: (text) => (text.includes("FOR SHARE") ? text.replace(FENCED_ROW, "$1") : text) },
  ],
  ["a write does not hold the row of its incarnation", { sql: replaced(" FOR SHARE", "") }],
  [
    "what others left is taken over without a fence",
    {
      sql: (text) =>
        text
          .replaceAll(FENCE, "UPDATE replicas SET fenced = true WHERE false AND $1 = $1 AND")
          .replace(" AND NOT fenced LIMIT 1", " AND false LIMIT 1")
          .replace(
            /^(SELECT 1 FROM replicas WHERE incarnation = \$1 AND NOT fenced)$/,
            "$1 AND false",
          )
          .replace("AND epoch NOT IN (SELECT incarnation FROM replicas WHERE NOT fenced)", ""),
    },
  ],
  [
    "a commit in doubt is sent again without asking",
    {
      sql: (text) =>
        /^SELECT 1 FROM (writers WHERE writer_id|events WHERE turn_id) = \$1/.test(text)
          ? `${text} AND false`
          : text,
    },
  ],
  [
    "a commit in doubt is taken for done",
    {
      sql: replaced(
        /^SELECT 1 FROM (writers WHERE writer_id|events WHERE turn_id) = \$1.*/g,
        "SELECT 1",
      ),
    },
  ],
  [
    "what is found of a commit in doubt may be on the primary alone",
    {
      sql: (text) =>
        text.includes("SET number = writers.number") ? "SELECT 1 WHERE $1 = $1" : text,
    },
  ],
  ["a commit with a warning is taken for done", { hearsWarnings: false }],
  ["a commit does not wait for a standby", { isSynchronous: false }],
  [
    "events are published before they are committed",
    {
      store: (store) => ({
        ...store,
        async append(batch, epoch) {
          store.append(batch, epoch).catch(() => {});
        },
      }),
    },
  ],
  [
    "a lease is ended before it has run out",
    { sql: replaced("lease_until <", "lease_until - 30000 <") },
  ],
  ["who cannot renew its lease lets its agents work", { terms: { graceMs: 1e8 } }],
  [
    "agents begin before the lease is renewed",
    {
      consequences: (consequences) => ({
        ...consequences,
        stopAll(why) {
          consequences.stopAll(why);
          consequences.allowAll();
        },
      }),
    },
  ],
  [
    "a session moves though its home holds",
    {
      sql: replaced(
        "SELECT 1 FROM replicas WHERE replica_id = $1 AND NOT fenced LIMIT 1",
        "SELECT 1 FROM replicas WHERE replica_id = $1 AND false LIMIT 1",
      ),
    },
  ],
  [
    "a session does not know which turn runs in it",
    {
      sql: replaced(
        /SET running_turn_id = \$1,/g,
        "SET running_turn_id = CASE WHEN $1 = '' THEN '' ELSE '' END,",
      ),
    },
  ],
  [
    "a request that is asked again is another",
    {
      store: (store) => ({
        ...store,
        createTurn: (start, epoch) => store.createTurn({ ...start, requestId: "" }, epoch),
      }),
    },
  ],
  [
    "nobody looks after what others left",
    { store: (store) => ({ ...store, listAway: async () => [] }) },
  ],
]);
