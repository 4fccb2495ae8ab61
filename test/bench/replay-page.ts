import { createConnectTransport } from "@connectrpc/connect-web";
import { createBreakglassClient, streamTurn } from "#client";
import type { Replayed } from "./far-replay.ts";

/** Runs in the page: reads a turn that has ended, by Connect over `fetch`. */
async function replayInPage(baseUrl: string, turnId: string): Promise<Replayed> {
  const client = createBreakglassClient(createConnectTransport({ baseUrl }));
  const start = performance.now();
  let events = 0;
  for await (const { sequence } of streamTurn(client, { attach: { turnId } })) {
    if (sequence > 0) events++;
  }
  return { events, seconds: (performance.now() - start) / 1000 };
}

declare global {
  interface Window {
    replayInPage: typeof replayInPage;
  }
}

window.replayInPage = replayInPage;
