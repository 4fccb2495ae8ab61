import pg, { type ClientConfig } from "pg";
import { eventOf, type OwnersAppend } from "./stored-turns.ts";

/** The store's own statement but for the lock of the lease's row. */
const APPEND = {
  name: "append",
  text: `WITH me AS MATERIALIZED (SELECT 1 FROM replicas WHERE incarnation = $1 AND NOT fenced),
    ins AS (INSERT INTO events (turn_id, sequence, event) SELECT $2, $3, $4 FROM me RETURNING 1)
    SELECT count(*) AS held FROM me`,
};
/** Somebody has written the event by now, which is not for two to write. */
const THERE_ALREADY = "23505";

/** What writes for the owner of a lease and does not hold it still meanwhile, over as many connections as it has turns. */
export interface UnlockedOwner extends AsyncDisposable {
  readonly append: OwnersAppend;
}

export async function openUnlockedOwner(host: ClientConfig, turns: number): Promise<UnlockedOwner> {
  const clients = Array.from({ length: turns }, () => new pg.Client(host));
  for (const client of clients) await client.on("error", () => {}).connect();
  const ofTurns = new Map<string, pg.Client>();
  /** Each turn has one append in flight. */
  const clientOf = (turnId: string) => {
    const client = ofTurns.get(turnId) ?? clients[ofTurns.size % turns]!;
    ofTurns.set(turnId, client);
    return client;
  };
  return {
    async append(turnId, sequence, epoch) {
      const client = clientOf(turnId);
      const values = [epoch, turnId, sequence, Buffer.from(eventOf(turnId, sequence).events[0]!)];
      try {
        const { rows } = await client.query({ ...APPEND, values });
        return Number(rows[0].held) > 0;
      } catch (error) {
        if ((error as { code?: string }).code === THERE_ALREADY) return false;
        throw error;
      }
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client.end();
    },
  };
}
