/** Opens the store in the file that is its argument, and appends to a turn; prints each event once that is told to be on disk. */
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { owned } from "../support/owned-store.ts";
import { turnStart } from "../support/turn-start.ts";

const EVENTS = 20;

const store = owned(await openSqliteStore(process.argv[2]!));
const { turnId } = (await store.createTurn(turnStart())).turn;
for (let sequence = 1; sequence <= EVENTS; sequence++) {
  const text = `<event ${sequence}>`;
  const events = [new TextEncoder().encode(text)];
  await store.append({ turnId, firstSequence: sequence, events, time: 1 });
  process.stdout.write(`${text}\n`);
}
await store.close();
