import { fileURLToPath } from "node:url";
import {
  type BreakglassClient,
  createBreakglassClient,
  readTurnEvents,
  type TurnToRead,
} from "#client";
import { openGrpcConnection } from "#client/node";
import { startDelayingProxy } from "../support/delaying-proxy.ts";
import { type Figure, median, quantile } from "./figure.ts";
import { startService } from "./service.ts";

const MIB = 1024 * 1024;
const LIVE_ROUND_TRIP_MS = 200;
/** Texts of the ticking agent that are written, 20 a second, before who attaches over the way is there. */
const ATTACHED_AFTER = 20;
const PROMPT_ROUND_TRIP_MS = 100;
const PROMPT_BYTES = 8 * MIB;
const PROMPTS = 9;
const PROMPT_WITHIN_MS = 1000;
const TICKING = fileURLToPath(new URL("ticking-agent.pl", import.meta.url));
const SCRIPTED = fileURLToPath(new URL("../fixtures/scripted-agent.ts", import.meta.url));

/** What who is far away waits for: text as it is written, and a large prompt. Each within what the way itself takes. */
export async function measureFar(): Promise<Figure[]> {
  return [
    await measureLiveText(),
    await measurePrompt("prompt"),
    await measurePrompt("attachment"),
  ];
}

/**
 * How much later than a client beside the server one far away has the same text. Who is beside it has a text no earlier than
 * it is committed, and hardly later.
 */
async function measureLiveText(): Promise<Figure> {
  await using service = await startService({ BREAKGLASS_AGENT_COMMAND: TICKING });
  await using proxy = await startDelayingProxy(service.url, LIVE_ROUND_TRIP_MS);
  using near = openClient(service.url);
  using far = openClient(proxy.url);
  let arrivals: Promise<Map<number, number>> | undefined;
  const committed = await arrivalsOf(near.client, { run: { prompt: "go" } }, (turnId) => {
    arrivals ??= arrivalsOf(far.client, { attach: { turnId } });
  });
  const later = [...(await arrivals!)].map(([sequence, at]) => at - committed.get(sequence)!);
  return {
    figure: `live text over ${LIVE_ROUND_TRIP_MS} ms, from its commit, p99`,
    // What was written before it was attached to came later by as much.
    value: quantile(later.slice(ATTACHED_AFTER), 0.99),
    unit: "ms",
    limit: LIVE_ROUND_TRIP_MS,
    bar: { atMost: 1 },
  };
}

/** When each text of a turn came, by its sequence. */
async function arrivalsOf(
  client: BreakglassClient,
  turn: TurnToRead,
  began: (turnId: string) => void = () => {},
): Promise<Map<number, number>> {
  const arrivals = new Map<number, number>();
  for await (const { kind, sequence, turnId } of readTurnEvents(client, turn)) {
    began(turnId);
    if (kind.case === "text") arrivals.set(sequence, performance.now());
  }
  return arrivals;
}

function openClient(url: string): Disposable & { readonly client: BreakglassClient } {
  const connection = openGrpcConnection(url, undefined);
  const client = createBreakglassClient(connection.transport);
  return { client, [Symbol.dispose]: () => connection.close() };
}

/** From the call, over a connection that is not there yet, to the first message: its turn is recorded. */
async function measurePrompt(what: "prompt" | "attachment"): Promise<Figure> {
  await using service = await startService({
    BREAKGLASS_AGENT_COMMAND: SCRIPTED,
    BREAKGLASS_MAX_PROMPT_BYTES: String(PROMPT_BYTES),
  });
  await using proxy = await startDelayingProxy(service.url, PROMPT_ROUND_TRIP_MS);
  const times: number[] = [];
  for (let prompt = 0; prompt < PROMPTS; prompt++) times.push(await timePrompt(proxy.url, what));
  return {
    figure: `${what} of 8 MiB over ${PROMPT_ROUND_TRIP_MS} ms`,
    value: median(times),
    unit: "ms",
    limit: PROMPT_WITHIN_MS,
    bar: { atMost: 1 },
  };
}

async function timePrompt(url: string, what: "prompt" | "attachment"): Promise<number> {
  const data = new Uint8Array(PROMPT_BYTES);
  const request =
    what === "prompt"
      ? { prompt: "say hi\n".padEnd(PROMPT_BYTES, "#") }
      : { prompt: "say hi", attachments: [{ name: "a.log", mediaType: "text/plain", data }] };
  using connection = openClient(url);
  const { runTurn, deleteSession } = connection.client;
  let sessionId = "";
  let ms: number | undefined;
  const start = performance.now();
  for await (const { event } of runTurn(request)) {
    ms ??= performance.now() - start;
    sessionId = event?.sessionId ?? "";
  }
  if (ms === undefined) throw new Error("no message came");
  // Done only once the agent is gone, so that the next one has the machine to itself.
  await deleteSession({ sessionId });
  return ms;
}
