import { randomUUID } from "node:crypto";
import type { Conversation } from "../../src/drill/conversation.ts";
import { say } from "../../src/drill/script.ts";
import { type Figure, median, quantile } from "./figure.ts";
import { type LiveService, startLiveService } from "./live-service.ts";

const SESSIONS = 20;
const WARM = 8;
const ROUNDS = 3;
const AT_ONCE = 3;

const remembered = ({ prompts }: Conversation) => /word is (\w+)/.exec(prompts.join("\n"))?.[1];
const SCRIPT = [
  { when: "The word is", steps: [say("Noted.")] },
  { when: "Which word", steps: [say((conversation) => `It was ${remembered(conversation)}.`)] },
];

/** Twenty sessions that take turns on eight warm processes: whether each remembers its own word, every time. */
export async function measureSharedWarm(): Promise<Figure[]> {
  await using live = await startLiveService(SCRIPT, {
    BREAKGLASS_MAX_WARM_PROCESSES: String(WARM),
  });
  const sessions = Array.from({ length: SESSIONS }, (_, n) => ({
    sessionId: randomUUID(),
    word: `w${n}x${randomUUID().slice(0, 8)}`,
  }));
  const wrong: string[] = [];
  const times: number[] = [];
  let most = 0;
  for (let round = 0; round <= ROUNDS; round++) {
    const left = sessions.toSorted(() => Math.random() - 0.5);
    const take = async () => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const { sessionId, word } = next;
        const prompt = round === 0 ? `The word is ${word}` : "Which word was it?";
        const said = await answer(live, sessionId, prompt, times);
        if (said !== (round === 0 ? "Noted." : `It was ${word}.`)) wrong.push(said);
        most = Math.max(most, live.processes().length);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, take));
  }
  for (const said of wrong) process.stderr.write(`not what was expected: ${said}\n`);
  const turns = SESSIONS * (ROUNDS + 1);
  const common = { unit: "turns", limit: turns };
  return [
    { figure: "turns that failed or forgot", value: wrong.length, ...common, bar: { atMost: 0 } },
    { figure: "processes at once", value: most, unit: "processes", limit: WARM + AT_ONCE },
    { figure: "first text, p50", value: median(times), unit: "ms", limit: quantile(times, 0.95) },
  ];
}

async function answer(
  live: LiveService,
  sessionId: string,
  prompt: string,
  times: number[],
): Promise<string> {
  try {
    const { events, firstTextMs } = await live.run({ sessionId, prompt });
    times.push(firstTextMs ?? Number.NaN);
    const end = events.at(-1)?.kind;
    if (end?.case !== "result" || end.value.isError) return `ended by ${JSON.stringify(end)}`;
    return events.flatMap(({ kind }) => (kind.case === "text" ? kind.value.text : [])).join("");
  } catch (error) {
    return String(error);
  }
}
