import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Figure, median } from "./figure.ts";
import { answerOf } from "./program.ts";
import { writeRecordedTurn } from "./recorded-turn.ts";
import { startService } from "./service.ts";

const ROUNDS = 5;
const EVENTS = 100_000;
/** Every fourth yields none. */
const LINES = Math.ceil(EVENTS / 3) * 4;

interface Read {
  readonly turnId: string;
  readonly events: number;
  readonly seconds: number;
}

/**
 * How many events a second come of a long turn that is read again when it has ended, against how many came while its
 * agent printed as fast as it could: whoever comes back must be able to catch up.
 */
export async function measureReplay(): Promise<Figure[]> {
  await using cleanup = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "breakglass-bench-"));
  cleanup.defer(() => rm(root, { recursive: true, force: true }));
  const turn = join(root, "turn.jsonl");
  const agent = join(root, "agent");
  await writeRecordedTurn(turn, LINES);
  await writeFile(agent, `#!/bin/sh\nread -r prompt\nexec cat '${turn}'\n`, { mode: 0o755 });

  const live: number[] = [];
  const again: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await using service = await startService({ BREAKGLASS_AGENT_COMMAND: agent });
    const first = await answerOf<Read>(["test/bench/counting-client.ts", service.url]);
    const second = await answerOf<Read>([
      "test/bench/counting-client.ts",
      service.url,
      first.turnId,
    ]);
    for (const { events } of [first, second]) {
      if (events < EVENTS) throw new Error(`${events} events came instead of ${EVENTS}`);
    }
    live.push(first.events / first.seconds);
    again.push(second.events / second.seconds);
  }
  return [
    {
      figure: "replay",
      value: median(again),
      unit: "events/s",
      limit: median(live),
      bar: { atLeast: 1 },
    },
  ];
}
