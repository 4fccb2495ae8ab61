import type { BreakglassClient } from "#client";
import {
  ErrorReason,
  ErrorReasonSchema,
  type TurnEvent,
  TurnState,
  TurnStateSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";
import { bytesOf, collect, durable, valuesOf } from "../support/events.ts";
import { isDeaf } from "./kill-moments.ts";
import { faultsOfPart, faultsOfTurn } from "./log-rules.ts";
import { Recording } from "./recording.ts";
import { countedRequest, type StartedTurn, startsOf } from "./started-turn.ts";

/**
 * What is wrong with a turn whose server was killed, asked of the server that came after: the request, sent again, joins
 * its turn or, where that was not accepted before the server died, runs it now, and never runs its agent twice; all that
 * any client received is there; it has one end. Empty: nothing.
 */
export async function faultsOfKilledTurn(
  client: BreakglassClient,
  root: string,
  started: StartedTurn,
): Promise<string[]> {
  const { request, parts, recording } = started;
  const { token: _, ...message } = request;
  const again = new Recording(client.runTurn(message));
  const turnId = await again.accepted();
  if (turnId === undefined) return [`the request is refused: ${(await again.over)?.message}`];
  const before = recording.turnId;
  if (before !== undefined && before !== turnId) return [`${before} is now ${turnId}`];
  // Not accepted before, it runs now; its agent would never end.
  if (before === undefined && isDeaf(request)) await client.cancelTurn({ turnId });
  const cut = await again.over;
  if (cut !== undefined) return [`the replay of ${turnId} is cut: ${cut.message}`];
  const turn = again.durable;
  const replay = durable(await collect(client.attachTurn({ turnId })));
  const isSame = bytesOf(replay).join() === bytesOf(turn).join();
  return [
    ...faultsOfTurn(turn),
    ...parts.flatMap(({ after, recording }) => faultsOfPart(recording.durable, after, turn)),
    ...(isSame ? [] : ["two replays are not the same"]),
    ...(await faultsOfEnd(client, turnId, turn, before !== undefined)),
    ...(await faultsOfStarts(root, started, turn)),
  ].map((fault) => `${turnId} ${fault}`);
}

/** What is wrong with the session of a turn whose server was killed: it goes on where it was. Empty: nothing. */
export async function faultsOfSession(
  client: BreakglassClient,
  root: string,
  { request: { sessionId, token } }: StartedTurn,
): Promise<string[]> {
  const { token: _, ...message } = countedRequest(() => ["say on 1 0"], sessionId);
  const known = (await startsOf(root, { token })).length > 0;
  const events = durable(await collect(client.runTurn(message)));
  const faults = faultsOfTurn(events);
  if (valuesOf(events, "result")[0]?.isError !== false) faults.push("the next turn fails");
  if (known && valuesOf(events, "session")[0]?.resumed !== true) faults.push("it is not resumed");
  return faults.map((fault) => `session ${sessionId}: ${fault}`);
}

/** Reasons of the server's for an end that a killed server's turn can have, the second where it was being drained. */
const LOST: readonly ErrorReason[] = [ErrorReason.SERVER_RESTARTED, ErrorReason.SERVER_SHUTDOWN];

async function faultsOfEnd(
  client: BreakglassClient,
  turnId: string,
  events: readonly TurnEvent[],
  wasAccepted: boolean,
): Promise<string[]> {
  const { turn } = await client.getTurn({ turnId });
  const [error] = valuesOf(events, "error");
  const isLost = error !== undefined && LOST.includes(error.reason);
  const isCanceled = !wasAccepted && error?.reason === ErrorReason.CANCELED;
  const faults: string[] = [];
  if (error !== undefined && !isLost && !isCanceled) {
    faults.push(`ended with ${enumName(ErrorReasonSchema, error.reason)}: ${error.message}`);
  }
  const ends = isCanceled ? TurnState.CANCELED : isLost ? TurnState.LOST : TurnState.SUCCEEDED;
  const { state = TurnState.UNSPECIFIED, lastSequence } = turn ?? {};
  if (state !== ends) {
    const names = [state, ends].map((found) => enumName(TurnStateSchema, found));
    faults.push(`is ${names.join(", not ")}`);
  }
  if (lastSequence !== events.length) faults.push(`has last_sequence ${lastSequence}`);
  return faults;
}

async function faultsOfStarts(
  root: string,
  { request }: StartedTurn,
  events: readonly TurnEvent[],
): Promise<string[]> {
  const { length: starts } = await startsOf(root, request);
  if (starts > 1) return [`has had its agent started ${starts} times`];
  // A text is the agent's, after its line.
  const said = events.some(({ kind }) => kind.case === "text");
  return said && starts === 0 ? ["has events of an agent that was never started"] : [];
}
