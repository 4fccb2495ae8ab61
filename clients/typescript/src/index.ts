/**
 * A client of a breakglass server, for Node and browsers: the generated client over any transport of Connect, and streams
 * of turns that cannot be lost.
 *
 * @module
 */

export * from "../../../gen/breakglass/v1/audit_pb.ts";
export * from "../../../gen/breakglass/v1/breakglass_service_pb.ts";
export * from "../../../gen/breakglass/v1/event_pb.ts";
export * from "../../../gen/breakglass/v1/server_pb.ts";
export * from "../../../gen/breakglass/v1/session_pb.ts";
export * from "../../../gen/breakglass/v1/spending_pb.ts";
export * from "../../../gen/breakglass/v1/turn_pb.ts";
export {
  type BreakglassClient,
  type ClientOptions,
  createBreakglassClient,
} from "./breakglass-client.ts";
export { isAnswer, isNotFound, isRefusal } from "./call-failure.ts";
export { type ErrorInfo, errorInfoOf, type FieldViolation, type Reason } from "./error-info.ts";
export { type BackOff, DEFAULT_BACK_OFF } from "./outage.ts";
export { isClosedConnection, refusalLines } from "./refusal-text.ts";
export type { ConnectionChange, ResumingStream, StreamOptions } from "./resuming-stream.ts";
export { type RunOptions, runTurn, type TurnOutcome } from "./run-turn.ts";
export { SilenceError } from "./stream-call.ts";
export { streamTurn, type TurnStream } from "./stream-turn.ts";
export { endsTurn, readTurnEvents, StreamCutError, type TurnToRead } from "./turn-events.ts";
export { SequenceGapError } from "./turn-place.ts";
export { endStateOf, isLive } from "./turn-state.ts";
export { watchSession } from "./watch-session.ts";
export { watchTurns } from "./watch-turns.ts";
