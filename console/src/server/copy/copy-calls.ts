import {
  type AttachTurnResponse,
  AttachTurnResponseSchema,
  BreakglassService,
  type GetTurnResponse,
  GetTurnResponseSchema,
} from "@breakglass/client";
import { create } from "@bufbuild/protobuf";
import type { Interceptor, StreamRequest, StreamResponse, UnaryRequest } from "@connectrpc/connect";
import { meaningOf } from "../standing.ts";
import { bytesOf, type Copy, eventOf, isWithinBounds } from "./copy.ts";

/** How often what came of a turn is written. */
const WRITE_MS = 2000;
const { getTurn, attachTurn } = BreakglassService.method;

type Next = Parameters<Interceptor>[0];

/**
 * Keeps the turns that are opened, and answers with what is kept where the server is away: a turn's stream has the events that are kept and
 * then fails as it does without them, so that its reader goes on behind them once the server is back.
 *
 * @param copyOf - Undefined: nothing is to be kept.
 */
export function copyCalls(copyOf: () => Copy | undefined): Interceptor {
  return (next) => async (request) => {
    const copy = copyOf();
    if (copy !== undefined && request.method === getTurn && !request.stream)
      return await copyTurn(copy, next, request as UnaryRequest);
    if (copy !== undefined && request.method === attachTurn && request.stream)
      return copyEvents(copy, next, request as StreamRequest);
    return await next(request);
  };
}

async function copyTurn(copy: Copy, next: Next, request: UnaryRequest) {
  try {
    const response = await next(request);
    const { turn } = response.message as GetTurnResponse;
    if (turn !== undefined) void copy.keepTurn(turn);
    return response;
  } catch (error) {
    if (meaningOf(error) !== "unreachable") throw error;
    const turn = await copy.readTurn((request.message as unknown as { turnId: string }).turnId);
    if (turn === undefined) throw error;
    const { service, method } = request;
    const message = create(GetTurnResponseSchema, { turn });
    const headers = { header: new Headers(), trailer: new Headers() };
    return { stream: false as const, service, method, ...headers, message };
  }
}

function copyEvents(copy: Copy, next: Next, request: StreamRequest): StreamResponse {
  const { service, method } = request;
  const headers = { header: new Headers(), trailer: new Headers() };
  return { stream: true, service, method, ...headers, message: eventsOf(copy, next, request) };
}

async function* eventsOf(copy: Copy, next: Next, request: StreamRequest) {
  const asked = await firstOf(request.message as AsyncIterable<AskedEvents>);
  let writer: Writer | undefined;
  try {
    const response = await next({ ...request, message: one(asked) } as StreamRequest);
    for await (const message of response.message as AsyncIterable<AttachTurnResponse>) {
      writer ??= await Writer.open(copy, asked);
      writer.take(message);
      yield message;
    }
  } catch (error) {
    const isAway = writer === undefined && meaningOf(error) === "unreachable";
    const kept = isAway ? await copy.readEvents(asked.turnId) : undefined;
    for (const bytes of kept?.events ?? []) {
      const event = eventOf(bytes);
      if (event.sequence > asked.afterSequence) yield create(AttachTurnResponseSchema, { event });
    }
    throw error;
  } finally {
    writer?.write();
  }
}

interface AskedEvents {
  readonly turnId: string;
  readonly afterSequence: number;
}

/** Writes the events of one turn, from its first on without a gap, up to the bound. */
class Writer {
  readonly #copy: Copy;
  readonly #turnId: string;
  readonly #events: Uint8Array[];
  #bytes: number;
  #last: number;
  #isFull = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  static async open(copy: Copy, { turnId, afterSequence }: AskedEvents): Promise<Writer> {
    const kept = afterSequence === 0 ? undefined : await copy.readEvents(turnId);
    return new Writer(copy, turnId, [...(kept?.events ?? [])], kept?.last ?? 0);
  }

  private constructor(copy: Copy, turnId: string, events: Uint8Array[], last: number) {
    this.#copy = copy;
    this.#turnId = turnId;
    this.#events = events;
    this.#last = last;
    this.#bytes = events.reduce((sum, { length }) => sum + length, 0);
  }

  take({ event }: AttachTurnResponse): void {
    if (event === undefined || this.#isFull || event.sequence !== this.#last + 1) return;
    const bytes = bytesOf(event);
    this.#isFull = !isWithinBounds(this.#bytes + bytes.length);
    if (this.#isFull) return;
    this.#events.push(bytes);
    this.#bytes += bytes.length;
    this.#last = event.sequence;
    this.#timer ??= setTimeout(() => this.write(), WRITE_MS);
  }

  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#last > 0)
      void this.#copy.keepEvents(this.#turnId, { events: this.#events, last: this.#last });
  }
}

async function firstOf<T>(messages: AsyncIterable<T>): Promise<T> {
  for await (const message of messages) return message;
  throw new Error("the call asks for nothing");
}

async function* one<T>(message: T) {
  yield message;
}
