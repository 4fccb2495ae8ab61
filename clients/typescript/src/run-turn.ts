import type {
  ErrorEvent,
  PermissionDenial,
  ResultEvent,
  TurnEvent,
  Usage,
} from "../../../gen/breakglass/v1/event_pb.ts";
import type { Turn } from "../../../gen/breakglass/v1/turn_pb.ts";
import type { BreakglassClient } from "./breakglass-client.ts";
import { closingOf } from "./connection-closed.ts";
import { type Reading, resume, type StreamOptions } from "./resuming-stream.ts";
import { streamTurn } from "./stream-turn.ts";
import type { TurnToRead } from "./turn-events.ts";

/** How a turn ended. */
export interface TurnOutcome {
  /** The turn as the server has it, with its state. */
  readonly turn: Turn;
  /** The agent ended the turn, and without an error. Look at `permissionDenials` too. */
  readonly succeeded: boolean;
  /** The agent's last words; else what went wrong, for people. */
  readonly text: string;
  /** Tokens used by the turn. Undefined: unknown. */
  readonly usage: Usage | undefined;
  /** What the turn cost, in US dollars, as the agent reckons. 0: nothing, or unknown. */
  readonly totalCostUsd: number;
  /** Tool calls that were denied. A turn with denials may not have done what it says. */
  readonly permissionDenials: readonly PermissionDenial[];
  /** The agent's own end of the turn. Undefined: something else ended it. */
  readonly result: ResultEvent | undefined;
  /** What ended the turn where the agent did not. */
  readonly error: ErrorEvent | undefined;
}

/** How a turn is run to its end. */
export interface RunOptions extends StreamOptions {
  /** Told of each event. What it throws ends the reading. */
  readonly onEvent?: (event: TurnEvent) => void;
}

/**
 * Reads a turn to its end, as {@link streamTurn} does, and answers how it ended. A turn that fails is an outcome, and no
 * exception. `signal` ends the reading, never the turn.
 *
 * @throws As streamTurn.
 */
export async function runTurn(
  client: BreakglassClient,
  turn: TurnToRead,
  options: RunOptions = {},
): Promise<TurnOutcome> {
  let last: TurnEvent | undefined;
  for await (const event of streamTurn(client, turn, options)) {
    last = event;
    options.onEvent?.(event);
  }
  if (last === undefined) throw new Error("a stream ended without an event");
  const ended = await turnOf(client, last.turnId, options);
  // It was read from behind its end.
  if (last.sequence === 0) last = await lastEventOf(client, ended, options);
  return outcomeOf(ended, last);
}

function outcomeOf(turn: Turn, { kind }: TurnEvent): TurnOutcome {
  const result = kind.case === "result" ? kind.value : undefined;
  const error = kind.case === "error" ? kind.value : undefined;
  return {
    turn,
    succeeded: result !== undefined && !result.isError,
    text: result?.result ?? error?.message ?? "",
    usage: turn.usage,
    totalCostUsd: turn.totalCostUsd,
    permissionDenials: result?.permissionDenials ?? [],
    result,
    error,
  };
}

async function lastEventOf(
  client: BreakglassClient,
  { turnId, lastSequence }: Turn,
  options: StreamOptions,
): Promise<TurnEvent> {
  const attach = { turnId, afterSequence: lastSequence - 1 };
  for await (const event of streamTurn(client, { attach }, options)) {
    if (event.sequence > 0) return event;
  }
  throw new Error("the server has no last event of a turn that ended");
}

/** The turn as it is, asked for over connections that break. */
async function turnOf(
  client: BreakglassClient,
  turnId: string,
  options: StreamOptions,
): Promise<Turn> {
  const reading: Reading<Turn | undefined, Turn> = {
    closing: closingOf(client),
    async *open(signal) {
      yield (await client.getTurn({ turnId }, { signal })).turn;
    },
    take: (fresh) => ({ fresh, isNew: true, isLast: true }),
    ended: () => new Error("the server answered without a turn"),
  };
  // The server was heard: the stream has just ended.
  for await (const turn of resume(reading, options, true)) return turn;
  throw new Error("the server answered without a turn");
}
