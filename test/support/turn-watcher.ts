import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BreakglassClient } from "#client";
import type {
  WatchTurnsRequestSchema,
  WatchTurnsResponse,
} from "../../gen/breakglass/v1/breakglass_service_pb.ts";
import { TurnStateSchema } from "../../gen/breakglass/v1/event_pb.ts";
import { enumName } from "../../src/enum-name.ts";

/** Who watches turns, and what they were told so far. */
export class TurnWatcher implements Disposable {
  readonly told: WatchTurnsResponse[] = [];
  /** Resolves with why the stream ended. */
  readonly ended: Promise<unknown>;
  readonly #left = new AbortController();
  #next = Promise.withResolvers<void>();

  constructor(
    client: BreakglassClient,
    request: MessageInitShape<typeof WatchTurnsRequestSchema> = {},
  ) {
    this.ended = this.#read(client.watchTurns(request, { signal: this.#left.signal }));
  }

  /** Where to come back from. */
  get cursor(): bigint {
    return this.told.at(-1)?.cursor ?? 0n;
  }

  /** Everything but signs of life, in short: what happened to which turn, and in which state that is. */
  get changes(): string[] {
    return this.told.flatMap((message) => changeText(message) ?? []);
  }

  /** Resolves when something was told. Rejects where the stream ends before. */
  async until(isSo: (told: readonly WatchTurnsResponse[]) => boolean): Promise<void> {
    while (!isSo(this.told)) {
      this.#next = Promise.withResolvers();
      const ended = this.ended.then((why) => {
        throw new Error("the stream ended", { cause: why });
      });
      await Promise.race([this.#next.promise, ended]);
    }
  }

  caughtUp(): Promise<void> {
    return this.until((told) => told.some(({ caughtUp }) => caughtUp));
  }

  /** Until that a turn has ended is told. */
  untilEnded(turnId: string): Promise<void> {
    return this.until((told) =>
      told.some(({ change }) => change.case === "turnEnded" && change.value.turnId === turnId),
    );
  }

  [Symbol.dispose](): void {
    this.#left.abort();
  }

  async #read(stream: AsyncIterable<WatchTurnsResponse>): Promise<unknown> {
    try {
      for await (const message of stream) {
        this.told.push(message);
        this.#next.resolve();
      }
      return undefined;
    } catch (error) {
      return error;
    }
  }
}

/** A change in short. Undefined: it is a sign of life. */
export function changeText({ change, caughtUp }: WatchTurnsResponse): string | undefined {
  if (change.case === undefined) return caughtUp ? "caught up" : undefined;
  if (change.case === "approvalRequested") return `asks ${change.value.event?.turnId}`;
  if (change.case === "approvalResolved") return `decided ${change.value.turnId}`;
  const { turnId, state } = change.value;
  return `${change.case.slice("turn".length).toLowerCase()} ${turnId} ${enumName(TurnStateSchema, state)}`;
}
