import { setTimeout as wait } from "node:timers/promises";
import type { BreakglassClient, ConnectionChange, TurnToRead } from "#client";
import { isAnswer, streamTurn } from "#client";
import { isLive } from "#client/turn-state";
import { type TurnEvent, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import { ExitStatus } from "./exit-status.ts";
import { type Interrupts, takeInterrupts } from "./interrupts.ts";
import { stopOnInterrupts } from "./stop-keys.ts";
import type { Terminal } from "./terminal.ts";
import { oneLine, type Printable, print, shellWord, trimmed } from "./terminal-text.ts";
import { stateAfter, stateWord } from "./turn-outcome.ts";
import { type PrintOptions, TurnPrinter } from "./turn-printer.ts";

/** An id has 36. */
const ID_CHARACTERS = 100;
const SECOND_INTERRUPT_MS = 2000;
/** Whoever mistyped the server's address is not kept waiting; a server that restarts is back within this. */
export const FIRST_GIVE_UP_MS = 3000;

/** How a turn is followed. */
export interface FollowOptions extends PrintOptions {
  /** Text as it is written. Undefined: where stdout is a terminal; as prose it is shown nowhere else. */
  readonly deltas: boolean | undefined;
  /** Ctrl-C stops the turn. Otherwise the first one only stops following it. */
  readonly interruptStops: boolean;
  /** What to do where the server was left before it had told the turn's id; one line, or empty. */
  readonly joinHint: Printable;
  /** Gives up the connection that is open; the next call opens another. */
  readonly dropConnection: () => void;
}

/** How far the reading has come. */
interface Position {
  turnId: string;
  sequence: number;
  state: TurnState;
  /** How many tool calls were denied. Undefined: the result that tells was not read. */
  denials: number | undefined;
}

/**
 * Prints a turn as it happens. A connection that breaks is told of on stderr and made again, for 10 min; the first one
 * only for 3 s.
 *
 * Ctrl-C, where it stops the turn: see {@link stopOnInterrupts}. Where not, it stops following and leaves the turn running; a
 * second one within 2 s cancels it, and a third does not wait for that. Ctrl-\ stops following, and nothing else.
 *
 * @returns `ok`, `denied` or `failed` as the turn ended, `refused` where the server did not say how, `detached` where it goes
 * on without a reader.
 * @throws ConnectError and its like as {@link streamTurn} does.
 */
export async function followTurn(
  client: BreakglassClient,
  turn: TurnToRead,
  options: FollowOptions,
  terminal: Terminal,
): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const over = new AbortController();
  const position: Position = {
    turnId: "",
    sequence: 0,
    state: TurnState.UNSPECIFIED,
    denials: undefined,
  };
  const stop = options.interruptStops
    ? stopOnInterrupts(client, () => position.turnId, interrupts, terminal, over.signal)
    : interrupts.first;
  const leave = AbortSignal.any([stop, interrupts.quit, terminal.gone]);
  try {
    await printEvents(client, turn, position, options, leave, terminal);
  } catch (error) {
    if (!leave.aborted) {
      tellHowToGoOn(error, position, options, terminal);
      throw error;
    }
  } finally {
    over.abort();
  }
  if (hasEnded(position)) return outcome(client, position);
  if (!leave.aborted) {
    terminal.tell(print`The server said that the turn has ended, and not how.`);
    return ExitStatus.refused;
  }
  if (terminal.gone.aborted) return ExitStatus.detached;
  return await detach(client, position, options, interrupts, terminal);
}

async function printEvents(
  client: BreakglassClient,
  turn: TurnToRead,
  position: Position,
  options: FollowOptions,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<void> {
  using printer = new TurnPrinter(client, options, terminal);
  const onConnection = (change: ConnectionChange) => printer.tell(change);
  const { dropConnection } = options;
  const backOff = { firstGiveUpMs: FIRST_GIVE_UP_MS };
  const stream = { signal, backOff, onConnection, dropConnection };
  let isTold = false;
  try {
    for await (const event of streamTurn(client, withDeltas(turn, options, terminal), stream)) {
      if (!isTold) tellIds(event, terminal);
      isTold = true;
      advance(position, event);
      await printer.next(event);
    }
  } finally {
    await printer.end();
  }
}

function withDeltas(
  turn: TurnToRead,
  { json, deltas }: FollowOptions,
  { isTerminal }: Terminal,
): TurnToRead {
  const textDeltas = json ? deltas === true : isTerminal && deltas !== false;
  return "run" in turn
    ? { run: { ...turn.run, textDeltas } }
    : { attach: { ...turn.attach, textDeltas } };
}

function tellHowToGoOn(
  error: unknown,
  position: Position,
  options: FollowOptions,
  terminal: Terminal,
): void {
  if (position.turnId !== "") terminal.tell(print`Attach again:`, attachCommand(position, options));
  // A server that refuses has started nothing; where it was not heard nobody knows.
  else if (options.joinHint !== "" && !isAnswer(error)) {
    terminal.tell(options.joinHint);
  }
}

function tellIds(event: TurnEvent, terminal: Terminal): void {
  terminal.tell(print`turn ${oneLine(event.turnId, ID_CHARACTERS)}`);
  terminal.tell(print`session ${oneLine(event.sessionId, ID_CHARACTERS)}`);
}

function advance(position: Position, event: TurnEvent): void {
  position.turnId ||= event.turnId;
  if (event.sequence > 0) position.sequence = event.sequence;
  const { kind } = event;
  // Where a reader attached in the middle, the checkpoint is what tells how far it is.
  if (kind.case === "checkpoint") position.sequence = kind.value.sequence;
  if (kind.case === "result") position.denials = kind.value.permissionDenials.length;
  position.state = stateAfter(event);
}

function hasEnded({ state }: Position): boolean {
  return state !== TurnState.UNSPECIFIED && !isLive(state);
}

async function outcome(client: BreakglassClient, position: Position): Promise<ExitStatus> {
  const { turnId, state, denials } = position;
  if (state !== TurnState.SUCCEEDED) return ExitStatus.failed;
  const denied = denials ?? (await client.getTurn({ turnId })).turn?.permissionDenialCount ?? 0;
  return denied > 0 ? ExitStatus.denied : ExitStatus.ok;
}

function attachCommand({ turnId, sequence }: Position, { command }: FollowOptions): Printable {
  return command("attach", print`${shellWord(turnId)} --after ${sequence}`);
}

async function detach(
  client: BreakglassClient,
  position: Position,
  options: FollowOptions,
  interrupts: Interrupts,
  terminal: Terminal,
): Promise<ExitStatus> {
  if (position.turnId === "") {
    terminal.tell(trimmed(print`Left before the server answered. ${options.joinHint}`));
    return ExitStatus.detached;
  }
  const what = interrupts.second.aborted
    ? print`Detached; the server goes on with the cancel.`
    : print`Detached; the turn goes on.`;
  terminal.tell(print`${what} Attach again:`, attachCommand(position, options));
  if (options.interruptStops || interrupts.quit.aborted) return ExitStatus.detached;
  terminal.tell(print`Ctrl-C again within 2 s cancels the turn.`);
  const cancel = await abortedWithin(interrupts.second, SECOND_INTERRUPT_MS);
  return cancel ? cancelTurn(client, position, interrupts.third, terminal) : ExitStatus.detached;
}

function abortedWithin(signal: AbortSignal, ms: number): Promise<boolean> {
  return wait(ms, false, { signal }).catch(() => true);
}

async function cancelTurn(
  client: BreakglassClient,
  { turnId }: Position,
  leave: AbortSignal,
  terminal: Terminal,
): Promise<ExitStatus> {
  terminal.tell(print`Canceling the turn…`);
  try {
    const { turn } = await client.cancelTurn({ turnId }, { signal: leave });
    const state = turn?.state ?? TurnState.UNSPECIFIED;
    terminal.tell(print`The turn ended: ${stateWord(state)}`);
    return state === TurnState.SUCCEEDED ? ExitStatus.ok : ExitStatus.failed;
  } catch (error) {
    if (!leave.aborted) throw error;
    terminal.tell(print`Left before the cancel was answered; the server goes on with it.`);
    return ExitStatus.detached;
  }
}
