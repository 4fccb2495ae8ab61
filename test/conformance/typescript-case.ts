import { setTimeout as sleep } from "node:timers/promises";
import {
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  toJson,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import {
  type BreakglassClient,
  createBreakglassClient,
  errorInfoOf,
  runTurn,
  SequenceGapError,
  SilenceError,
  StreamCutError,
  type StreamOptions,
  streamTurn,
  type TurnOutcome,
  watchSession,
  watchTurns,
} from "#client";
import { openGrpcConnection } from "#client/node";
import {
  AttachTurnRequestSchema,
  BreakglassService,
  RunTurnRequestSchema,
  WatchSessionRequestSchema,
  WatchSessionResponseSchema,
  WatchTurnsRequestSchema,
  WatchTurnsResponseSchema,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import {
  ErrorEventSchema,
  PermissionDenialSchema,
  TurnEventSchema,
  UsageSchema,
} from "../../gen/breakglass/v1/event_pb.ts";
import { TurnSchema } from "../../gen/breakglass/v1/turn_pb.ts";

/** A case as the kit writes it. */
export interface Case {
  readonly url: string;
  readonly protocol: string;
  readonly call: string;
  readonly request: JsonValue;
  readonly options: {
    readonly first_wait_ms: number;
    readonly longest_wait_ms: number;
    readonly give_up_ms: number;
    readonly first_give_up_ms: number;
    readonly silence_ms: number;
  };
  readonly token?: string;
  readonly leave_after?: number;
  readonly leave_after_ms?: number;
  readonly pause_ms?: number;
}

/** What a client that is broken on purpose does otherwise. */
export interface Breakage {
  /** Takes the place of the client. */
  readonly client?: (client: BreakglassClient) => BreakglassClient;
  /** Takes the place of the stream of a turn. */
  readonly stream?: typeof streamTurn;
  /** Changes how streams are read. */
  readonly options?: (options: StreamOptions) => StreamOptions;
}

/** Runs a case, and prints what came of it. */
export async function runDriver(given: Case, breakage: Breakage = {}): Promise<void> {
  const connection = connect(given);
  const made = createBreakglassClient(connection.transport);
  const client = breakage.client?.(made) ?? made;
  const options = optionsOf(given, connection.drop);
  try {
    await runCall(
      given,
      client,
      breakage.options?.(options) ?? options,
      breakage.stream ?? streamTurn,
    );
    print({ end: { kind: "ok" } });
  } catch (error) {
    print({ end: failureOf(error) });
  }
  connection.close();
}

async function runCall(
  given: Case,
  client: BreakglassClient,
  options: StreamOptions,
  stream: typeof streamTurn,
): Promise<void> {
  const { call, request } = given;
  switch (call) {
    case "stream_turn": {
      const run = fromJson(RunTurnRequestSchema, request);
      return read(stream(client, { run }, options), "event", TurnEventSchema, given);
    }
    case "attach_turn": {
      const attach = fromJson(AttachTurnRequestSchema, request);
      return read(stream(client, { attach }, options), "event", TurnEventSchema, given);
    }
    case "watch_session": {
      const watch = fromJson(WatchSessionRequestSchema, request);
      const changes = watchSession(client, watch, options);
      return read(changes, "change", WatchSessionResponseSchema, given);
    }
    case "watch_turns": {
      const watch = fromJson(WatchTurnsRequestSchema, request);
      const changes = watchTurns(client, watch, options);
      return read(changes, "change", WatchTurnsResponseSchema, given);
    }
    case "run_turn": {
      const run = fromJson(RunTurnRequestSchema, request);
      return print({ outcome: outcomeOf(await runTurn(client, { run }, options)) });
    }
    default:
      return callOnce(call, request, client);
  }
}

/** Prints what comes, until the reading is over or left. */
async function read<S extends DescMessage>(
  messages: AsyncIterable<MessageShape<S>>,
  what: string,
  schema: S,
  { leave_after, pause_ms = 0 }: Case,
): Promise<void> {
  let count = 0;
  for await (const message of messages) {
    print({ [what]: toJson(schema, message) });
    if (++count === leave_after) break;
    if (pause_ms > 0) await sleep(pause_ms);
  }
}

/** A method that answers once, by its name in the proto. */
async function callOnce(name: string, request: JsonValue, client: BreakglassClient): Promise<void> {
  const method = BreakglassService.methods.find((one) => one.name === name);
  if (method === undefined) return print({ unsupported: name });
  const calls = client as unknown as Record<string, (request: unknown) => Promise<never>>;
  const answer = await calls[method.localName]!(fromJson(method.input, request));
  print({ answer: toJson(method.output, answer, { useProtoFieldName: true }) });
}

function outcomeOf(outcome: TurnOutcome): object {
  const names = { useProtoFieldName: true };
  const { succeeded, text, totalCostUsd, usage, permissionDenials, turn, error } = outcome;
  return {
    succeeded,
    text,
    total_cost_usd: totalCostUsd,
    permission_denials: permissionDenials.map((one) => toJson(PermissionDenialSchema, one, names)),
    turn: toJson(TurnSchema, turn, names),
    usage: usage && toJson(UsageSchema, usage, names),
    error: error && toJson(ErrorEventSchema, error, names),
  };
}

function connect({ url, protocol, token }: Case) {
  if (protocol === "grpc") return openGrpcConnection(url, token);
  const authorize: Interceptor = (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
  const options = { baseUrl: url, httpVersion: "1.1" as const, interceptors: [authorize] };
  const transport =
    protocol === "grpc-web" ? createGrpcWebTransport(options) : createConnectTransport(options);
  // Each stream has a connection of its own, which ends with it.
  return { transport, drop() {}, close() {} };
}

function optionsOf({ options, leave_after_ms }: Case, dropConnection: () => void): StreamOptions {
  const { first_wait_ms, longest_wait_ms, give_up_ms, first_give_up_ms, silence_ms } = options;
  return {
    backOff: {
      firstMs: first_wait_ms,
      longestMs: longest_wait_ms,
      giveUpMs: give_up_ms,
      firstGiveUpMs: first_give_up_ms,
    },
    silenceMs: silence_ms,
    dropConnection,
    signal: leave_after_ms === undefined ? undefined : AbortSignal.timeout(leave_after_ms),
  };
}

/** A failure as the kit reads it. */
function failureOf(error: unknown): object {
  if (error instanceof DOMException && error.name === "TimeoutError") return { kind: "left" };
  if (error instanceof StreamCutError) return { kind: "cut" };
  if (error instanceof SilenceError) return { kind: "silence" };
  if (error instanceof SequenceGapError) return { kind: "gap" };
  if (!(error instanceof ConnectError)) throw error;
  const info = errorInfoOf(error);
  return {
    kind: "status",
    code: codeName(error.code),
    reason: info?.reason ?? "",
    metadata: info?.metadata ?? {},
    retry_delay_ms: info?.retryDelayMs,
    violations: info?.violations ?? [],
  };
}

function codeName(code: Code): string {
  return Code[code].replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
