/** What an `EventSource` was given. */
interface Seen {
  /** The `id` and kind of every event, in order. */
  readonly events: (readonly [id: string, kind: string])[];
  /** How often its connection was lost. */
  losses: number;
  /** Whether it has stopped coming back. */
  isClosed: boolean;
}

const KINDS = [
  "checkpoint",
  "session",
  "tool",
  "tool_result",
  "text",
  "notice",
  "result",
  "problem",
];

/** Runs in the page: follows a turn with nothing but what a browser has, until that stops by itself. */
function followInPage(url: string): void {
  const seen: Seen = { events: [], losses: 0, isClosed: false };
  window.seen = seen;
  const source = new EventSource(url);
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ lastEventId }) => seen.events.push([lastEventId, kind]));
  }
  // What ends a turn may have the name that the loss of a connection has, but brings data.
  source.onerror = (event) => {
    if (event instanceof MessageEvent) {
      seen.events.push([event.lastEventId, "error"]);
      return;
    }
    seen.losses++;
    seen.isClosed = source.readyState === EventSource.CLOSED;
  };
}

declare global {
  interface Window {
    followInPage: typeof followInPage;
    seen: Seen;
  }
}

window.followInPage = followInPage;
