import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { create } from "@bufbuild/protobuf";
import { ResultEventSchema, TextEventSchema } from "../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../src/agent/agent.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import { encodeEvents } from "../../src/turns/encoded-event.ts";
import { newTurnId } from "../../src/turns/identifiers.ts";
import { type OwnedStore, owned } from "../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../support/turn-start.ts";

const TURNS_OF_A_SESSION = 10;
const EVENTS_OF_A_TURN = 10;

/** Fills a store that is new with so many turns that have ended, through the store's own interface. */
export async function fillStore(path: string, workspaces: string, turns: number): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const store = owned(await openSqliteStore(path));
  for (let left = turns / TURNS_OF_A_SESSION; left > 0; left -= 100) {
    const sessions = Array.from({ length: Math.min(left, 100) }, () => randomUUID());
    for (let turn = 0; turn < TURNS_OF_A_SESSION; turn++) {
      await Promise.all(sessions.map((sessionId) => addTurn(store, sessionId, workspaces)));
    }
  }
  await store.close();
}

async function addTurn(store: OwnedStore, sessionId: string, workspaces: string): Promise<void> {
  const turnId = newTurnId();
  const time = Date.now();
  const start = turnStart({
    ...{ turnId, time, requestId: randomUUID(), principal: "local" },
    ...{ sentSessionId: sessionId, maxSessionTurns: TURNS_OF_A_SESSION },
  });
  const workspace = `${workspaces}/${sessionId}`;
  const created = store.createTurn({ ...start, newSession: { ...start.newSession, workspace } });
  const events = encodeEvents({ turnId, sessionId }, 1, time, kinds());
  const appended = store.append({ turnId, firstSequence: 1, events, time, end: SUCCEEDED });
  await Promise.all([created, appended]);
}

function kinds(): EventKind[] {
  const text = create(TextEventSchema, { text: "something ".repeat(20), messageId: "msg_1" });
  const result = create(ResultEventSchema, { result: "done" });
  return [
    ...Array.from({ length: EVENTS_OF_A_TURN - 1 }, () => ({ case: "text" as const, value: text })),
    { case: "result", value: result },
  ];
}
