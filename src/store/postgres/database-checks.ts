import type { Client } from "pg";
import type { Log } from "../../log.ts";

const OLDEST = 15;
const MOST_SKEW_MS = 5 * 60_000;

/**
 * Looks whether a database keeps what a store promises.
 *
 * @throws Error with a line for the operator where it does not.
 */
export async function checkDatabase(client: Client, log: Log): Promise<void> {
  const { rows } =
    await client.query<Facts>(`SELECT current_setting('server_version_num')::int / 10000 AS version,
    current_setting('transaction_read_only') = 'on' AS is_read_only,
    extract(epoch FROM clock_timestamp()) * 1000 AS now,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standbys, current_setting('fsync') AS fsync,
    current_setting('server_encoding') AS encoding`);
  const facts = rows[0]!;
  const refusal = refusalOf(facts, Date.now());
  if (refusal !== undefined) throw new Error(refusal);
  if (facts.fsync === "off") {
    log.warn(
      "the store's database has fsync off: what was acknowledged is lost where its machine goes down",
    );
  }
  if (facts.standbys === "") {
    log.warn(
      "the store's database has no synchronous standby: what is on its disk alone is lost with that disk",
    );
  }
}

interface Facts {
  readonly version: number;
  readonly is_read_only: boolean;
  /** In milliseconds. */
  readonly now: string;
  readonly synchronous_commit: string;
  readonly standbys: string;
  readonly fsync: string;
  readonly encoding: string;
}

/** Why a database cannot be used. Undefined: it can. */
export function refusalOf(facts: Facts, now: number): string | undefined {
  const { version, is_read_only: isReadOnly, standbys, encoding } = facts;
  if (version < OLDEST) return `it is PostgreSQL ${version}, and has to be ${OLDEST} or newer`;
  if (isReadOnly) return "it takes no writes: default_transaction_read_only is on";
  if (encoding !== "UTF8") return `its encoding is ${encoding}, and has to be UTF8`;
  const skewMs = now - Number(facts.now);
  if (Math.abs(skewMs) > MOST_SKEW_MS) {
    return `this machine's clock is ${Math.round(skewMs / 1000)} s off the database's: set both, by NTP for example`;
  }
  const committed = facts.synchronous_commit;
  // With a standby, `local` does not wait for it.
  if (committed === "off" || (committed === "local" && standbys !== "")) {
    return `synchronous_commit is ${committed}: what was acknowledged could be lost; set it to on`;
  }
  return undefined;
}
