import {
  type BreakglassClient,
  type StreamOptions,
  streamTurn,
  type TurnEvent,
} from "@breakglass/client";
import { LetGo } from "./connection.svelte.ts";
import { hasLocks } from "./locks.ts";
import { hasPlaces, takeEndedPlace, takePlace } from "./turn-places.ts";

/** A window that nobody has seen for so long gives its turn's connection to the others. */
const HIDDEN_MS = 30_000;

/** A turn that was started before. */
export interface ShownTurn {
  readonly turnId: string;
  readonly afterSequence?: number;
  readonly textDeltas?: boolean;
}

export interface ShownTurnOptions extends StreamOptions {
  /** It has ended, and is one of many: they are read one after the other, beside the one that runs. */
  readonly isOneOfMany?: boolean;
}

/**
 * Streams a turn as `streamTurn` does, for as long as somebody may see it: it is let go where the window is hidden for 30 s, and over HTTP/1.1
 * where other windows need its connection. It goes on from its last sequence: every durable event comes once.
 *
 * @throws as `streamTurn`.
 */
export async function* streamShownTurn(
  client: BreakglassClient,
  { attach }: { readonly attach: ShownTurn },
  { isOneOfMany = false, ...options }: ShownTurnOptions,
): AsyncGenerator<TurnEvent, void, undefined> {
  let afterSequence = attach.afterSequence ?? 0;
  const outer = options.signal ?? new AbortController().signal;
  let isFirst = true;
  const placeFor = async () => {
    if (isOneOfMany) return (await hasLocks()) ? await takeEndedPlace(outer) : undefined;
    if (!(await hasPlaces())) return undefined;
    return await takePlace(outer, isFirst, () => tellWait(options));
  };
  for (; ; isFirst = false) {
    await shown(outer);
    using place = await placeFor();
    using hiding = hidden();
    const signals = [outer, hiding.signal, ...(place === undefined ? [] : [place.lost])];
    const signal = AbortSignal.any(signals);
    try {
      const turn = { attach: { ...attach, afterSequence } };
      let isHeard = isFirst;
      for await (const event of streamTurn(client, turn, { ...options, signal })) {
        if (!isHeard) options.onConnection?.({ state: "back" });
        isHeard = true;
        if (event.sequence > afterSequence) afterSequence = event.sequence;
        yield event;
      }
      return;
    } catch (error) {
      if (outer.aborted || !signal.aborted) throw error;
    }
  }
}

/** A person is told that this window reads nothing now. */
function tellWait({ onConnection }: StreamOptions): void {
  const error = new LetGo("other windows of this browser use its connections");
  onConnection?.({ state: "lost", error, retryInMs: 0, failures: 1, wasConnected: true });
}

/** Resolves once the window is shown. @throws the reason of the signal. */
function shown(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (signal.aborted) reject(signal.reason);
      else if (document.visibilityState === "visible") resolve();
      else return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}

/** Its signal aborts when the window was hidden for as long as that. */
function hidden(): Disposable & { readonly signal: AbortSignal } {
  const left = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden")
      timer = setTimeout(() => left.abort(new LetGo("nobody sees it")), HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return {
    signal: left.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    },
  };
}
