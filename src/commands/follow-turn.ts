import { setTimeout as wait } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { type TurnEvent, TurnEventSchema, TurnState } from "../../gen/breakglass/v1/event_pb.ts";
import type { BreakglassClient } from "../client/breakglass-client.ts";
import { isAnswer } from "../client/call-failure.ts";
import { refusalLines } from "../client/refusal-text.ts";
import { type ConnectionChange, streamTurn } from "../client/stream-turn.ts";
import type { TurnToRead } from "../client/turn-events.ts";
import { eventText } from "./event-text.ts";
import { ExitStatus } from "./exit-status.ts";
import { type Interrupts, takeInterrupts } from "./interrupts.ts";
import type { Terminal } from "./terminal.ts";
import { terminalJson, terminalText } from "./terminal-text.ts";
import { stateAfter, stateWord } from "./turn-outcome.ts";

const SECOND_INTERRUPT_MS = 2000;
/** Whoever mistyped the server's address is not kept waiting; a server that restarts is back within this. */
const FIRST_GIVE_UP_MS = 3000;

/** How a turn is followed. */
export interface FollowOptions {
  /** One TurnEvent in proto JSON a line, checkpoints included, instead of prose. */
  readonly json: boolean;
  /** What to do where the server was left before it had told the turn's id; one line, or empty. */
  readonly joinHint: string;
  /** Gives up the connection that is open; the next call opens another. */
  readonly dropConnection: () => void;
}

/** How far the reading has come. */
interface Position {
  turnId: string;
  sequence: number;
  state: TurnState;
}

/**
 * Prints a turn as it happens. A connection that breaks is told of on stderr and made again, for 10 min; the first one
 * only for 3 s. Ctrl-C stops reading and leaves the turn running; a second one within 2 s cancels it, and a
 * third does not wait for that.
 *
 * @returns `ok` or `failed` as the turn ended, `detached` where it goes on without a reader.
 * @throws ConnectError and its like as {@link streamTurn} does.
 */
export async function followTurn(
  client: BreakglassClient,
  turn: TurnToRead,
  options: FollowOptions,
  terminal: Terminal,
): Promise<ExitStatus> {
  using interrupts = takeInterrupts();
  const leave = AbortSignal.any([interrupts.first, terminal.gone]);
  const position: Position = { turnId: "", sequence: 0, state: TurnState.UNSPECIFIED };
  try {
    const stream = {
      signal: leave,
      backOff: { firstGiveUpMs: FIRST_GIVE_UP_MS },
      onConnection: (change: ConnectionChange) => tellConnection(change, terminal),
      dropConnection: options.dropConnection,
    };
    for await (const event of streamTurn(client, turn, stream)) {
      if (position.turnId === "") tellIds(event, terminal);
      advance(position, event);
      await terminal.write(lineOf(event, options, terminal));
    }
  } catch (error) {
    if (!leave.aborted) {
      tellHowToGoOn(error, position, options, terminal);
      throw error;
    }
  }
  if (position.state > TurnState.RUNNING) return outcome(position.state);
  return terminal.gone.aborted
    ? ExitStatus.detached
    : await detach(client, position, options, interrupts, terminal);
}

function tellConnection(change: ConnectionChange, terminal: Terminal): void {
  if (change.state === "back") {
    terminal.tell("Connected again.");
    return;
  }
  const { error, retryInMs, failures, wasConnected } = change;
  const why = terminalText(refusalLines(error)?.[0] ?? String(error));
  const what = wasConnected && failures === 1 ? "Connection lost" : "No connection";
  terminal.tell(`${what} (${why}); trying again in ${(retryInMs / 1000).toFixed(1)} s.`);
}

function tellHowToGoOn(
  error: unknown,
  position: Position,
  { joinHint }: FollowOptions,
  terminal: Terminal,
): void {
  if (position.turnId !== "") terminal.tell(`Attach again: ${attachCommand(position)}`);
  // A server that refuses has started nothing; where it was not heard nobody knows.
  else if (joinHint !== "" && !isAnswer(error)) {
    terminal.tell(joinHint);
  }
}

function tellIds(event: TurnEvent, terminal: Terminal): void {
  terminal.tell(terminalText(`turn ${event.turnId}\nsession ${event.sessionId}`));
}

function advance(position: Position, event: TurnEvent): void {
  position.turnId = event.turnId;
  if (event.sequence > 0) position.sequence = event.sequence;
  // Where a reader attached in the middle, the checkpoint is what tells how far it is.
  if (event.kind.case === "checkpoint") position.sequence = event.kind.value.sequence;
  position.state = stateAfter(event);
}

function lineOf(event: TurnEvent, options: FollowOptions, terminal: Terminal): string {
  if (options.json) return `${terminalJson(toJsonString(TurnEventSchema, event))}\n`;
  if (event.kind.case === "checkpoint" && event.kind.value.state !== TurnState.RUNNING) {
    return `The turn had ended: ${stateWord(event.kind.value.state)}\n`;
  }
  return eventText(event, terminal.style);
}

function outcome(state: TurnState): ExitStatus {
  return state === TurnState.SUCCEEDED ? ExitStatus.ok : ExitStatus.failed;
}

function attachCommand({ turnId, sequence }: Position): string {
  return terminalText(`breakglass attach ${turnId} --after ${sequence}`);
}

async function detach(
  client: BreakglassClient,
  position: Position,
  options: FollowOptions,
  interrupts: Interrupts,
  terminal: Terminal,
): Promise<ExitStatus> {
  if (position.turnId === "") {
    terminal.tell(`Left before the server answered. ${options.joinHint}`.trimEnd());
    return ExitStatus.detached;
  }
  terminal.tell(`Detached; the turn goes on. Attach again: ${attachCommand(position)}`);
  terminal.tell("Ctrl-C again within 2 s cancels the turn.");
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
  terminal.tell("Canceling the turn…");
  try {
    const { turn } = await client.cancelTurn({ turnId }, { signal: leave });
    const state = turn?.state ?? TurnState.UNSPECIFIED;
    terminal.tell(`The turn ended: ${stateWord(state)}`);
    return outcome(state);
  } catch (error) {
    if (!leave.aborted) throw error;
    terminal.tell("Left before the cancel was answered; the server goes on with it.");
    return ExitStatus.detached;
  }
}
