import type { EventBatch } from "../../../src/store/writes.ts";
import type { OwnedStore } from "../../support/owned-store.ts";
import { turnStart } from "../../support/turn-start.ts";

const READ_BYTES = 1_000_000;

/** A batch of one event, which says its sequence. */
export function eventOf(turnId: string, firstSequence: number): EventBatch {
  const events = [new TextEncoder().encode(String(firstSequence))];
  return { turnId, firstSequence, events, time: Date.now() };
}

/** Appends the next event of a turn for the owner of a lease. Answers false where it is refused, for the lease has ended. */
export type OwnersAppend = (turnId: string, sequence: number, epoch: number) => Promise<boolean>;

/** Has turns recorded, each in a session of its own. Answers their ids. */
export async function startTurns(store: OwnedStore, count: number): Promise<string[]> {
  const starts = Array.from({ length: count }, () => turnStart({ time: Date.now() }));
  await Promise.all(starts.map((start) => store.createTurn(start)));
  return starts.map(({ turnId }) => turnId);
}

/** What is wrong with a turn of such events that is to have just those up to `last`. Empty: nothing. */
export async function faultsOfEvents(
  store: Pick<OwnedStore, "readEvents">,
  turnId: string,
  last: number,
): Promise<string[]> {
  const faults: string[] = [];
  let found = 0;
  for (;;) {
    const events = await store.readEvents(turnId, found, READ_BYTES);
    if (events.length === 0) break;
    for (const event of events) {
      const said = Number(new TextDecoder().decode(event));
      if (said !== ++found) faults.push(`event ${found} says that it is ${said}`);
    }
  }
  if (found !== last) faults.push(`there are ${found} events, not ${last}`);
  return faults.slice(0, 5).map((fault) => `turn ${turnId}: ${fault}`);
}
