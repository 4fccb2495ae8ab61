import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { createBreakglassClient, streamTurn } from "#client";

const TRANSPORTS = { Connect: createConnectTransport, "gRPC-Web": createGrpcWebTransport };

/** What the page saw of a turn. */
export interface Streamed {
  readonly turnId: string;
  /** The sequences of the durable events, as they came. */
  readonly sequences: readonly number[];
  readonly lastKind: string | undefined;
  /** How often the connection was lost. */
  readonly losses: number;
  /** Whether the page's origin is one that browsers keep `crypto.randomUUID` for. */
  readonly isSecureContext: boolean;
}

/** Runs in the page: a whole turn, over as many connections as it takes. */
async function streamInPage(
  baseUrl: string,
  protocol: keyof typeof TRANSPORTS,
  prompt: string,
): Promise<Streamed> {
  const client = createBreakglassClient(TRANSPORTS[protocol]({ baseUrl }));
  const sequences: number[] = [];
  let losses = 0;
  let turnId = "";
  let lastKind: string | undefined;
  const stream = streamTurn(
    client,
    { run: { prompt } },
    {
      backOff: { firstMs: 1, longestMs: 50 },
      onConnection({ state }) {
        if (state === "lost") losses++;
      },
    },
  );
  for await (const event of stream) {
    turnId = event.turnId;
    lastKind = event.kind.case;
    if (event.sequence > 0) sequences.push(event.sequence);
    // The test waits for it before it breaks the connection.
    document.title = String(event.sequence);
  }
  return { turnId, sequences, lastKind, losses, isSecureContext };
}

/** Runs in the page: reads so many turns at once, then lists the sessions. Answers what the client warned of by then. */
async function warningsInPage(baseUrl: string, prompt: string, streams: number): Promise<string[]> {
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const client = createBreakglassClient(createConnectTransport({ baseUrl }), { onWarning });
  // It tells the browser which HTTP is spoken.
  await client.listSessions({});
  const leave = new AbortController();
  const readers = Array.from({ length: streams }, () =>
    client.runTurn({ prompt }, { signal: leave.signal })[Symbol.asyncIterator](),
  );
  await Promise.all(readers.map((reader) => reader.next()));
  const call = client.listSessions({}, { signal: leave.signal });
  if (streams < 6) await call;
  call.catch(() => {});
  const seen = [...warnings];
  leave.abort();
  return seen;
}

declare global {
  interface Window {
    streamInPage: typeof streamInPage;
    warningsInPage: typeof warningsInPage;
  }
}

window.streamInPage = streamInPage;
window.warningsInPage = warningsInPage;
