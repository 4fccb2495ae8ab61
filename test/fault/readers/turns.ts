import { createHash } from "node:crypto";
import { bytesOf, collect, durable } from "../../support/events.ts";
import { connect } from "../../support/protocols.ts";
import { faultsOfTurn } from "../log-rules.ts";

/** Starts a turn of these steps of `fault-agent.pl` and leaves it alone. Resolves with its id. */
export async function startTurn(url: string, steps: readonly string[]): Promise<string> {
  using connection = connect(url);
  const leaving = new AbortController();
  const stream = connection.client.runTurn(
    { prompt: steps.join("\n") },
    { signal: leaving.signal },
  );
  try {
    for await (const { event } of stream) if (event !== undefined) return event.turnId;
    throw new Error("a stream ended without a message");
  } finally {
    leaving.abort();
  }
}

/** Reads a turn, to its end where it runs, in peace: how many events it has, and what is wrong with it. */
export async function readWholeTurn(url: string, turnId: string) {
  using connection = connect(url);
  const turn = durable(await collect(connection.client.attachTurn({ turnId })));
  const hash = createHash("sha256");
  for (const text of bytesOf(turn)) {
    const bytes = Buffer.from(text, "base64");
    hash.update(`${bytes.length} `).update(bytes);
  }
  return { events: turn.length, hash: hash.digest("hex"), faults: faultsOfTurn(turn) };
}
