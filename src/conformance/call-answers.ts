import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import {
  create,
  type DescMethod,
  fromJson,
  type JsonValue,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import type { BreakglassClient } from "#client";
import type {
  WatchSessionResponse,
  WatchTurnsResponse,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { CallRule, Ending } from "./case.ts";
import { changeOf, eventOf, type JsonObject, turnChangeOf } from "./case-messages.ts";
import type { CuttingProxy } from "./cutting-proxy.ts";
import { statusOf } from "./status.ts";

/** A call on its way through the relay. */
export interface Passing {
  readonly method: DescMethod;
  readonly request: Message;
  readonly context: HandlerContext;
  /** Calls the server. Undefined: there is none. */
  readonly client: BreakglassClient | undefined;
  readonly proxy: CuttingProxy;
  /** What becomes of the call. Undefined: it is passed on. */
  readonly rule: CallRule | undefined;
}

/** Any stream's message. */
type Streamed = Message & { readonly event?: TurnEvent; readonly cursor?: bigint } & {
  readonly change?: (WatchSessionResponse | WatchTurnsResponse)["change"];
};

/**
 * So long what was written has to get to the proxy before that cuts. Whether it got there decides nothing: a client that
 * lost the last message has it again from the next call.
 */
const FLUSH_MS = 20;

/** Answers a call that streams as its rule says. */
export async function* streamed(passing: Passing): AsyncGenerator<Message, void> {
  const { method, rule } = passing;
  if (rule === undefined) return yield* upstreamOf(passing);
  if ("send" in rule) {
    for (const one of rule.send) {
      if (typeof one?.pause === "number") await sleep(one.pause);
      else yield messageOf(method, one);
    }
    return end(rule.end, passing);
  }
  if ("pass" in rule) yield* changed(passing, rule);
}

function messageOf(method: DescMethod, fields: JsonObject | null): Message {
  if (fields === null) return create(method.output);
  if (method.name === "WatchSession") return changeOf(fields);
  if (method.name === "WatchTurns") return turnChangeOf(fields);
  const event = eventOf(fields);
  return create(method.output, { event } as MessageInitShape<DescMethod["output"]>);
}

/** Answers a call that has one answer as its rule says. */
export async function answeredOnce(passing: Passing): Promise<Message> {
  const { method, rule, request, client, context } = passing;
  if (rule !== undefined && "send" in rule) {
    const [answer] = rule.send;
    if (answer === undefined) await end(rule.end, passing);
    return fromJson(method.output, (answer ?? {}) as JsonValue);
  }
  const call = calls(client, method.localName);
  return (await call(request, optionsOf(context))) as Message;
}

function upstreamOf({ method, request, client, context }: Passing): AsyncIterable<Streamed> {
  return calls(client, method.localName)(request, optionsOf(context)) as AsyncIterable<Streamed>;
}

function calls(client: BreakglassClient | undefined, method: string) {
  if (client === undefined) {
    throw new ConnectError("by the kit: no server is behind this case", Code.Unimplemented);
  }
  return (client as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!;
}

function optionsOf({ signal, requestHeader }: HandlerContext) {
  const token = requestHeader.get("authorization");
  return { signal, headers: token === null ? {} : { authorization: token } };
}

/** The server's answer, with what its rule changes of it. */
async function* changed(
  passing: Passing,
  { pass, end: how }: Extract<CallRule, { pass: unknown }>,
): AsyncGenerator<Message, void> {
  const { drop, repeat, swap, until } = pass;
  let kept: Message | undefined;
  for await (const message of upstreamOf(passing)) {
    if (until === 0) return end(how ?? "ok", passing);
    const sequence = sequenceOf(message);
    if (sequence > 0 && sequence === drop) continue;
    if (sequence > 0 && sequence === swap) {
      kept = message;
      continue;
    }
    yield message;
    if (sequence > 0 && sequence === repeat) yield message;
    if (kept !== undefined && sequence > 0) {
      yield kept;
      kept = undefined;
    }
    if (until !== undefined && sequence >= until) return end(how ?? "ok", passing);
  }
  if (how !== undefined) return end(how, passing);
}

/** The place of what a message brings: an event's sequence, a change's cursor; 0: it has none. */
function sequenceOf({ event, cursor, change }: Streamed): number {
  return event?.sequence ?? (change?.case === undefined ? 0 : Number(cursor));
}

async function end(how: Ending, { context, proxy }: Passing): Promise<void> {
  if (how === "ok") return;
  if (typeof how === "object") throw statusOf(how);
  await sleep(FLUSH_MS);
  // What the loop was too busy for comes first.
  await setImmediate();
  await setImmediate();
  if (how === "cut") proxy.cut("FIN");
  else if (how === "reset") proxy.cut("RST");
  else if (how === "dead") proxy.blacken();
  await gone(context.signal);
}

/** Waits until the client has left the call. */
function gone(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve());
    if (signal.aborted) resolve();
  });
}
