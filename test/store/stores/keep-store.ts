/**
 * Prints a store of the present schema as SQL, to be kept before that schema changes:
 *
 *     node test/store/stores/keep-store.ts > test/store/stores/version-N.sql
 *
 * It has ended turns and a running one in sessions of two principals, requests, processes that are not known to be gone,
 * and a deleted session whose request is still refused.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLOutputValue } from "node:sqlite";
import { ErrorReason, TurnState } from "../../../gen/breakglass/v1/event_pb.ts";
import type { EventKind } from "../../../src/agent/agent.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite-store.ts";
import type { EventBatch, TurnStart } from "../../../src/store/writes.ts";
import { encodeEvents } from "../../../src/turns/encoded-event.ts";
import { errorEvent } from "../../../src/turns/turn-end.ts";
import { type OwnedStore, owned } from "../../support/owned-store.ts";
import { SUCCEEDED, turnStart } from "../../support/turn-start.ts";

const START = Date.UTC(2026, 10, 23, 8);
const text = (value: string): EventKind =>
  ({
    case: "text",
    value: {
      $typeName: "breakglass.v1.TextEvent",
      text: value,
      messageId: "msg_1",
      parentToolId: "",
      truncated: false,
      totalBytes: 0n,
    },
  }) as EventKind;
const failed = errorEvent({ reason: ErrorReason.AGENT_EXITED, message: "the agent exited: 1" });
const FAILED = {
  ...SUCCEEDED,
  state: TurnState.FAILED,
  errorReason: ErrorReason.AGENT_EXITED,
};

const folder = mkdtempSync(join(tmpdir(), "breakglass-keep-"));
const path = join(folder, "breakglass.db");
try {
  const store = owned(await openSqliteStore(path));
  await fill(store);
  await store.close();
  process.stdout.write(dump(path));
} finally {
  rmSync(folder, { recursive: true });
}

async function fill(store: OwnedStore): Promise<void> {
  const sessionKey = await run(
    store,
    "alice",
    1,
    1,
    [text("Look ☃ \u{1d11e}"), text("x".repeat(5000)), failed],
    FAILED,
  );
  const workspace = `/var/lib/breakglass/sessions/${id("workspace", 1)}`;
  await store.recordProcess({ processId: id("process", 1), sessionKey, workspace });
  await run(store, "alice", 1, 2, [text("It is the gateway.")], SUCCEEDED, { model: "opus" });
  await run(store, "alice", 1, 3, [text("Still"), text("at it")], undefined);
  await run(store, "bob", 2, 4, [failed], FAILED, { prompt: 'it\'s "quoted"; --\n'.repeat(20) });
  await run(store, "bob", 3, 5, [failed], FAILED);
  await store.deleteNamed(id("session", 3), "bob", START + 5 * 60_000);
}

/** Records a turn. Answers the key of its session. */
async function run(
  store: OwnedStore,
  principal: string,
  session: number,
  turn: number,
  kinds: EventKind[],
  end: EventBatch["end"],
  more: Partial<TurnStart> = {},
): Promise<string> {
  const time = START + turn * 60_000;
  const ids = { turnId: id("turn", turn), sessionId: id("session", session) };
  const start = turnStart({ turnId: ids.turnId, principal, time });
  const { session: opened } = await store.createTurn({
    ...start,
    prompt: "What is wrong with the gateway?",
    sentSessionId: turn % 2 === 0 ? ids.sessionId : "",
    requestId: id("request", turn),
    agents: [{ kind: "claude" }],
    newSession: {
      sessionId: ids.sessionId,
      agentKind: "claude",
      agent: "breakglass",
      model: "sonnet",
      workspace: `/var/lib/breakglass/sessions/${id("workspace", session)}`,
      agentSessionId: id("agent", session),
    },
    ...more,
  });
  const events = encodeEvents(ids, 1, time + 1000, kinds);
  const agentSessionId = id("agent", 10 + session);
  const batch = { turnId: ids.turnId, firstSequence: 1, events, time: time + 2000, agentSessionId };
  await store.append({ ...batch, ...(end && { end }) });
  return opened.sessionKey;
}

/** An id that is the same each time. */
function id(kind: string, n: number): string {
  const hex = Buffer.from(kind).toString("hex").padEnd(16, "0").slice(0, 8);
  return `${hex}-0000-7000-8000-${String(n).padStart(12, "0")}`;
}

function dump(file: string): string {
  const database = new DatabaseSync(file);
  const tables = database
    .prepare("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid")
    .all();
  const lines = tables
    .filter(({ name }) => name !== "sqlite_sequence")
    .map(({ sql }) => `${String(sql)};`);
  const names = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
    .all();
  for (const { name } of names) {
    for (const row of database.prepare(`SELECT * FROM ${String(name)}`).all()) {
      const values = Object.values(row).map(literal).join(", ");
      lines.push(
        `INSERT INTO ${String(name)} (${Object.keys(row).join(", ")}) VALUES (${values});`,
      );
    }
  }
  for (const pragma of ["user_version", "application_id"]) {
    const value = database.prepare(`PRAGMA ${pragma}`).get()?.[pragma];
    lines.push(`PRAGMA ${pragma} = ${String(value)};`);
  }
  database.close();
  return `${lines.join("\n")}\n`;
}

function literal(value: SQLOutputValue): string {
  if (value === null) return "NULL";
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString("hex")}'`;
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
}
