import type { TurnEvent } from "../../gen/breakglass/v1/event_pb.ts";
import type { EncodedEvent } from "../../src/turns/encoded-event.ts";
import type { Subscription } from "../../src/turns/subscription.ts";

/** An event as it is on disk, or one that is not durable. */
export type StreamPiece =
  | { readonly encoded: readonly EncodedEvent[] }
  | { readonly transient: TurnEvent };

/** A subscription that is read piece by piece: its sink has room for the piece that is asked for, and for no other. */
export async function* pullSubscription(
  open: () => Promise<{ readonly subscription: Subscription; readonly released: () => void }>,
): AsyncGenerator<StreamPiece> {
  const { subscription, released } = await open();
  try {
    yield { transient: subscription.checkpoint };
    const given: StreamPiece[] = [];
    let makeRoom = () => {};
    let wake = () => {};
    let isOver = false;
    const take = (piece: StreamPiece) => {
      given.push(piece);
      wake();
    };
    const delivered = subscription.deliver({
      get isFull() {
        return given.length > 0;
      },
      write: (event) => take({ encoded: [event] }),
      writeTransient: (event) => take({ transient: event }),
      onRoom(listener) {
        makeRoom = listener;
      },
    });
    const over = () => {
      isOver = true;
      wake();
    };
    delivered.then(over, over);
    for (;;) {
      const piece = given[0];
      if (piece !== undefined) {
        yield piece;
        given.shift();
        makeRoom();
      } else if (isOver) {
        return await delivered;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    subscription.close();
    released();
  }
}
