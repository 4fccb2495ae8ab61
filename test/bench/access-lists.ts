import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { PermissionMode } from "../../gen/breakglass/v1/turn_pb.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { ownView, type TurnView } from "../../src/store/views.ts";
import { type Figure, median } from "./figure.ts";

const SESSIONS = 10_000;
const TURNS = 100_000;
const PRINCIPALS = 100;
const PAGE = 50;
const ROUNDS = 40;
const PAGE_MS = 20;

const as = (principal: string, ...roles: string[]): TurnView => ({
  principal,
  roles,
  seesAll: roles.includes("viewer") || roles.includes("admin"),
  seesAsking: roles.includes("approver"),
});

/** By what somebody sees. */
const VIEWS: Readonly<Record<string, TurnView>> = {
  "an operator": as("p1", "operator"),
  "a viewer": as("p1", "viewer"),
  "an approver": as("p1", "operator", "approver"),
  "an admin": as("p1", "admin"),
  "somebody of all roles": as("p1", "viewer", "operator", "approver", "admin"),
  "one with whom every third session is shared": as("on-call", "operator"),
  "one with whom one old session is shared": as("guest", "operator"),
  "one who is seen by nothing": ownView("nobody"),
};

/** What a page of turns and of sessions takes the store, by what somebody sees, of many that they do not. */
export async function measureAccessLists(): Promise<Figure[]> {
  const root = await mkdtemp(join(tmpdir(), "breakglass-lists-"));
  try {
    const path = join(root, "breakglass.db");
    await (await openSqliteStore(path)).close();
    fill(path);
    const store = await openSqliteStore(path);
    const figures: Figure[] = [];
    for (const [who, view] of Object.entries(VIEWS))
      figures.push(...(await measure(store, who, view)));
    await store.close();
    return figures;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function measure(store: Store, who: string, view: TurnView): Promise<Figure[]> {
  const any = { states: [], since: undefined };
  const lost = { states: [TurnState.LOST], since: undefined };
  const figure = (what: string, value: number): Figure => ({
    ...{ figure: `${what}, to ${who}, p50`, value, unit: "ms", limit: PAGE_MS },
    bar: { atMost: 1 },
  });
  const middle = { createTime: TURNS / 2, turnId: "" };
  return [
    figure("a page of turns", await timed(() => store.listAllTurns(view, any, PAGE, undefined))),
    figure("a page far down", await timed(() => store.listAllTurns(view, any, PAGE, middle))),
    figure(
      "a page of a rare state",
      await timed(() => store.listAllTurns(view, lost, PAGE, undefined)),
    ),
    figure("a page of sessions", await timed(() => store.listSessions(view, PAGE, undefined))),
  ];
}

/** Milliseconds, behind the first few. */
async function timed(list: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    await list();
    if (round >= 5) times.push(performance.now() - began);
  }
  return median(times);
}

/** Every third session is shared with one and with a role; the first also with another. Each fifth turn asks. */
function fill(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("BEGIN");
  const session =
    database.prepare(`INSERT INTO sessions (session_key, session_id, principal, agent, model, workspace,
    agent_session_id, create_time, last_active_time, turn_count) VALUES (?, ?, ?, 'a', 'm', ?, '', ?, ?, ?)`);
  const share =
    database.prepare(`INSERT INTO shares (session_key, grantee, access, create_time, last_active_time, session_id, principal)
    SELECT session_key, ?, 'read', 1, last_active_time, session_id, principal FROM sessions WHERE session_key = ?`);
  for (let n = 0; n < SESSIONS; n++) {
    const id = idOf(n);
    session.run(id, id, `p${n % PRINCIPALS}`, id, n, TURNS - SESSIONS + n, TURNS / SESSIONS);
    if (n % 3 === 0) for (const whose of ["principal on-call", "role lead"]) share.run(whose, id);
    if (n === 0) share.run("principal guest", id);
  }
  const turn =
    database.prepare(`INSERT INTO turns (turn_id, session_key, state, prompt, principal, session_principal, model,
    agent, create_time, end_time, permission_mode) VALUES (?, ?, ?, 'what is wrong with the gateway?', ?, ?, 'm', 'a', ?, ?, ?)`);
  for (let n = 0; n < TURNS; n++) {
    const place = n % SESSIONS;
    const whose = `p${place % PRINCIPALS}`;
    const state = n % 1000 === 0 ? TurnState.LOST : TurnState.SUCCEEDED;
    const mode = n % 5 === 0 ? PermissionMode.ASK : PermissionMode.BYPASS;
    turn.run(idOf(n), idOf(place), state, whose, whose, n, n, mode);
  }
  database.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
}

function idOf(n: number): string {
  return `01890a5d-ac96-774b-bcce-${String(n).padStart(12, "0")}`;
}
