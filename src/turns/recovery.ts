import type { LeftProcess } from "../store/records.ts";
import type { ActiveSessions } from "./active-sessions.ts";
import { LeftTurn } from "./left-turn.ts";
import type { Removals } from "./removals.ts";
import type { TurnSurroundings } from "./turn-surroundings.ts";
import type { UnendedTurns } from "./unended-turns.ts";

interface RecoverySurroundings
  extends Pick<
    TurnSurroundings,
    "store" | "agents" | "log" | "audit" | "happenings" | "toldKinds" | "timers"
  > {
  readonly unended: UnendedTurns;
  readonly sessions: ActiveSessions;
  readonly removals: Removals;
}

/** What goes on when the take-over is done. Neither rejects. */
interface TakenOver {
  /** Resolves when the store has been asked to record the ends of all turns. */
  readonly tried: Promise<unknown>;
  /** Resolves when no process is left. */
  readonly processesGone: Promise<unknown>;
}

/**
 * Takes over what a server before this one left: its turns end LOST, its processes are ended, and each session waits for
 * its own.
 *
 * @throws Refusal STORAGE where the store cannot be read.
 */
export async function takeOver(surroundings: RecoverySurroundings): Promise<TakenOver> {
  const { store, sessions } = surroundings;
  const tried = await takeOverTurns(store.lease.owner, surroundings, (turn, wasQueued) =>
    sessions.of(turn.sessionKey).takeOver(turn, wasQueued),
  );
  const gone: Promise<void>[] = [];
  for (const process of await store.listLeftProcesses(store.lease.owner)) {
    const ended = endProcess(process, surroundings);
    if (process.sessionKey !== "") sessions.of(process.sessionKey).awaitProcess(ended);
    gone.push(ended);
  }
  return { tried: Promise.all(tried), processesGone: Promise.all(gone) };
}

/**
 * Ends the turns LOST that a server left, this one or another: their agents, where they live on, can record nothing.
 *
 * @param holdUp - Told of each, where its session is at home here.
 * @returns What resolves when the store has been asked to record their ends.
 * @throws Refusal STORAGE where the store cannot be read.
 */
export async function takeOverTurns(
  owner: string,
  surroundings: Pick<
    RecoverySurroundings,
    "store" | "log" | "audit" | "happenings" | "unended" | "toldKinds" | "timers"
  >,
  holdUp: (turn: LeftTurn, wasQueued: boolean) => void = () => {},
): Promise<Promise<void>[]> {
  const { store, unended } = surroundings;
  const tried: Promise<void>[] = [];
  for (const left of await store.listLeftTurns(owner)) {
    // Its end is being recorded already, however long the store takes.
    const known = unended.get(left.turnId);
    if (known instanceof LeftTurn) tried.push(known.tried);
    if (known !== undefined) continue;
    const turn = new LeftTurn(left, surroundings);
    unended.hold(turn);
    holdUp(turn, left.wasQueued);
    tried.push(turn.tried);
  }
  return tried;
}

/** Never rejects: what is not recorded is looked for by the next start. */
async function endProcess(
  { processId, sessionKey, workspace }: LeftProcess,
  { store, agents, removals }: RecoverySurroundings,
): Promise<void> {
  await agents.endProcesses(processId);
  // It waited for a session that was never opened.
  if (sessionKey === "") await removals.removeWorkspace(workspace);
  await store.recordProcessGone(processId).catch(() => {});
}
