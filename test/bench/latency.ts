import { fileURLToPath } from "node:url";
import { type Figure, quantile } from "./figure.ts";
import { answerOf } from "./program.ts";
import { startService } from "./service.ts";

const ROUNDS = 3;
const TURNS = [1, 100];
const AGENT = fileURLToPath(new URL("ticking-agent.pl", import.meta.url));

/**
 * How long it takes from the agent's writing a line to the client's having its event, with one turn and with a hundred at
 * once, against the way from the same agents' pipes into a Node process.
 */
export async function measureLatency(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const turns of TURNS) figures.push(...(await measure(turns)));
  return figures;
}

async function measure(turns: number): Promise<Figure[]> {
  const served: number[] = [];
  const read: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    served.push(...(await agesFromService(turns)));
    const ages = await answerOf<number[]>(["test/bench/tick-reader.ts", AGENT, String(turns)]);
    read.push(...ages);
  }
  return [0.5, 0.99].map((share) => ({
    figure: `latency of ${turns} ${turns === 1 ? "turn" : "turns"}, p${share * 100}`,
    value: quantile(served, share),
    unit: "ms",
    limit: quantile(read, share),
  }));
}

async function agesFromService(turns: number): Promise<number[]> {
  await using service = await startService({
    BREAKGLASS_AGENT_COMMAND: AGENT,
    BREAKGLASS_MAX_CONCURRENT_TURNS: String(turns),
  });
  return await answerOf<number[]>(["test/bench/tick-client.ts", service.url, String(turns)]);
}
