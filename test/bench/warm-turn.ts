import { say } from "../../src/drill/script.ts";
import { CliByHand, newConversation } from "./cli-by-hand.ts";
import { type Figure, median } from "./figure.ts";
import { startLiveService } from "./live-service.ts";

const ROUNDS = 25;
/** A spawn takes as long as ten warm turns. */
const ROUNDS_A_SPAWN = 3;
const PROMPT = "Say hello.";
const SCRIPT = [{ when: PROMPT, steps: [say("Hello.")] }];

/**
 * How long it takes from RunTurn to the first text in a session whose process is warm, against the same message written to
 * a warm CLI by hand, and against a CLI that is spawned to resume its conversation. All conversations grow alike.
 */
export async function measureWarmTurn(): Promise<Figure[]> {
  await using live = await startLiveService(SCRIPT, {});
  const { environment } = live.service;
  const { sessionId } = await live.run({ prompt: PROMPT });
  const warm = await newConversation(environment);
  await using hand = await CliByHand.start(warm, "new", environment);
  await hand.ask(PROMPT);
  const cold = await newConversation(environment);
  await spawned(cold, "new");

  const times = { served: [] as number[], hand: [] as number[], spawned: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const { firstTextMs } = await live.run({ prompt: PROMPT, sessionId });
    if (firstTextMs === undefined) throw new Error("no text came");
    times.served.push(firstTextMs);
    times.hand.push(await hand.ask(PROMPT));
    if (round % ROUNDS_A_SPAWN === 0) times.spawned.push(await spawned(cold, "resume"));
  }
  const value = median(times.served);
  return [
    {
      ...{ figure: "second turn, to a warm CLI by hand", value, unit: "ms" },
      ...{ limit: median(times.hand), bar: { atMost: 1.3 } },
    },
    {
      ...{ figure: "second turn, to a spawn that resumes", value, unit: "ms" },
      ...{ limit: median(times.spawned), bar: { atMost: 1 / 7 } },
    },
  ];

  async function spawned(conversation: typeof cold, opening: "new" | "resume"): Promise<number> {
    const start = performance.now();
    await using cli = await CliByHand.start(conversation, opening, environment);
    const started = performance.now() - start;
    return started + (await cli.ask(PROMPT));
  }
}
