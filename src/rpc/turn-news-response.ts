import { create, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import { WatchTurnsResponseSchema } from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import type { BodyWriter } from "../edge/body-writer.ts";
import type { TurnChange, TurnRecord } from "../store/records.ts";
import type { TurnNews } from "../turns/turn-watch.ts";
import { pushMessage } from "./envelope.ts";
import { changeOf } from "./resources.ts";
import { wireFormatOf } from "./wire-format.ts";

/** What a change is in each format, for all who watch it: in the framework each of a hundred would serialize it again. */
const serialized = { json: new WeakMap<TurnChange, Uint8Array>(), binary: new WeakMap() };

/** Whether a caller may answer what a turn asks for. */
type MayResolve = (turn: TurnRecord) => Promise<boolean>;

/** News of turns as callers see them. */
export async function turnNewsOf(
  { cursor, change, caughtUp }: TurnNews,
  asked: MayResolve,
): Promise<MessageInitShape<typeof WatchTurnsResponseSchema>> {
  const mayResolve = change?.kind === "approvalRequested" && (await asked(change.turn));
  const told = change && changeOf(change, mayResolve);
  return { cursor: BigInt(cursor), caughtUp, ...(told === undefined ? {} : { change: told }) };
}

/**
 * Writes news of turns into one response, past the framework (`pushMessage`). Resolves when there is room for more, or the
 * signal of the call has aborted.
 */
export function turnNewsSink(
  writer: BodyWriter,
  { requestHeader, signal }: HandlerContext,
  mayResolve: MayResolve,
): (news: TurnNews) => Promise<void> {
  const isJson = wireFormatOf(requestHeader.get("content-type"))?.isJson === true;
  const room = new Room(writer, signal);
  return async (news) => {
    pushMessage(writer, knownBytesOf(news, isJson) ?? (await bytesOf(news, isJson, mayResolve)));
    await room.made();
  };
}

function knownBytesOf({ change }: TurnNews, isJson: boolean): Uint8Array | undefined {
  return change && serialized[isJson ? "json" : "binary"].get(change);
}

async function bytesOf(
  news: TurnNews,
  isJson: boolean,
  mayResolve: MayResolve,
): Promise<Uint8Array> {
  const { change } = news;
  const message = create(WatchTurnsResponseSchema, await turnNewsOf(news, mayResolve));
  const made = isJson
    ? Buffer.from(toJsonString(WatchTurnsResponseSchema, message))
    : toBinary(WatchTurnsResponseSchema, message);
  // Of what waits each is told how long is left, and whether it is theirs to answer.
  if (change !== undefined && change.kind !== "approvalRequested") {
    serialized[isJson ? "json" : "binary"].set(change, made);
  }
  return made;
}

/** Whether a writer has room, until the call is over. */
class Room {
  readonly #writer: BodyWriter;
  readonly #signal: AbortSignal;
  #wanted: (() => void) | undefined;

  constructor(writer: BodyWriter, signal: AbortSignal) {
    this.#writer = writer;
    this.#signal = signal;
    writer.onRoom = this.#tell;
    signal.addEventListener("abort", this.#tell);
  }

  /** Resolves when there is some. */
  async made(): Promise<void> {
    while (this.#writer.isFull && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
  }

  readonly #tell = (): void => this.#wanted?.();
}
